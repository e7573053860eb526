//! The settings in force.

use std::fmt;

use orchestrator_model::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;
use crate::word::words;

words! {
    /// The effect of a difference between the written settings and those in force.
    pub enum Effect {
        /// A link or a template was added.
        Added = "added",
        /// A link or a template was removed.
        Removed = "removed",
        /// The value was changed.
        Changed = "changed",
        /// The daemon uses the old value until it is restarted.
        NeedsRestart = "needs-restart",
    }
}

/// A key whose written value differs from the value in force.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The key's path, with links and templates by their names: `link.br0.pool`.
    pub key: String,
    /// The effect of the difference.
    pub effect: Effect,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.effect)
    }
}

/// The settings in force. No value is shown, because it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingsView {
    /// The settings file.
    pub file: String,
    /// When the settings in force were read.
    #[schemars(with = "scalar::Timestamp")]
    pub loaded: Timestamp,
    /// The result of the last reload; `null` when there was none since the start.
    pub last_reload: Option<ReloadOutcome>,
    /// The differences between the written settings and those in force; empty when there are faults.
    pub pending: Vec<Change>,
    /// The faults of the written settings, each with its key.
    pub faults: Vec<String>,
}

/// The result of a reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReloadOutcome {
    /// When the reload was requested.
    #[schemars(with = "scalar::Timestamp")]
    pub at: Timestamp,
    /// Whether the written settings came into force. If not, nothing was changed.
    pub ok: bool,
    /// The reasons why they did not.
    pub faults: Vec<String>,
}

/// Settings that have come into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reloaded {
    /// When they were read.
    #[schemars(with = "scalar::Timestamp")]
    pub loaded: Timestamp,
    /// The changes from the settings before, with the keys that keep their old value until a restart.
    pub changes: Vec<Change>,
}
