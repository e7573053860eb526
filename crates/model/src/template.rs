//! Templates and their versions, as rows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::lease::words;

/// The place of a declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// In `settings.toml`.
    Settings,
    /// Through the API.
    Api,
}

words!(Origin { Settings = "settings", Api = "api" });

/// A template as the settings or the API declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedTemplate {
    /// Its name.
    pub name: String,
    /// The place of its declaration.
    pub origin: Origin,
    /// The version in force there. The same content under the same name has the same version as long as it is stored.
    pub version: u64,
    /// All keys of `[template.NAME]`, as JSON.
    pub spec: String,
    /// When this version came into force there.
    pub changed: Timestamp,
    /// Who put it in force; `None` for the settings.
    pub by: Option<String>,
}

/// A version of a template, whether or not it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateVersion {
    /// The name of the template.
    pub name: String,
    /// Its version, from 1.
    pub version: u64,
    /// All keys of `[template.NAME]`, as JSON.
    pub spec: String,
    /// When it was first declared.
    pub made: Timestamp,
    /// Who first declared it; `None` for the settings.
    pub by: Option<String>,
}
