//! Facts about an engine.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::Fact;

/// An engine, as it answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineFacts {
    /// Its name in the settings.
    pub name: String,
    /// What it says it is, or why it does not answer.
    pub product: Fact<EngineProduct>,
    /// Whether it has what every container needs, such as an init program. The error says what it lacks.
    pub equipment: Fact<()>,
    /// The directory in which it keeps images and containers, if it says.
    pub data: Option<String>,
    /// The words of its capabilities.
    pub capabilities: BTreeSet<String>,
    /// Whether it has each image that was asked for, by a name or a digest.
    pub images: BTreeMap<String, Fact<bool>>,
}

/// The name and version that an engine reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineProduct {
    /// The name, for people.
    pub name: String,
    /// The version.
    pub version: String,
}
