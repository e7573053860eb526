//! Health and readiness of the daemon.

use orchestrator_model::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;

/// Health: the daemon runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// Always `ok`. A daemon that does not run does not answer.
    pub status: String,
    /// The daemon's version.
    pub version: String,
}

/// Readiness: whether the daemon has everything that it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Readiness {
    /// Whether every condition that is needed is met.
    pub ready: bool,
    /// All conditions, by name.
    pub conditions: Vec<Condition>,
}

/// A condition: something that the daemon needs, and whether it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Condition {
    /// The name of the condition: `database`, `engine docker`, `link br0`.
    pub name: String,
    /// Whether the condition is met.
    pub ok: bool,
    /// Whether the daemon needs the condition to be ready.
    pub needed: bool,
    /// Why the condition is not met, and what to do.
    pub reason: Option<String>,
    /// When `ok` last changed.
    #[schemars(with = "scalar::Timestamp")]
    pub since: Timestamp,
}
