//! Whether the daemon runs, and whether it has all it needs.

use orchestrator_model::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;

/// The daemon runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// Always `ok`: a daemon that does not run does not answer.
    pub status: String,
    /// The daemon's version.
    pub version: String,
}

/// Whether the daemon has all it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Readiness {
    /// Whether the daemon waits for nothing.
    pub ready: bool,
    /// All it needs, by name.
    pub conditions: Vec<Condition>,
}

/// One thing that the daemon needs, and whether it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Condition {
    /// What is needed: `database`, `engine docker`, `link br0`.
    pub name: String,
    /// Whether it is there.
    pub ok: bool,
    /// Whether the daemon is not ready without it.
    pub needed: bool,
    /// Why it is not there, and what to do.
    pub reason: Option<String>,
    /// Since when this is so.
    #[schemars(with = "scalar::Timestamp")]
    pub since: Timestamp,
}
