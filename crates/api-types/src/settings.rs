//! The settings that are in force.

use std::fmt;

use orchestrator_model::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;
use crate::word::words;

words! {
    /// What becomes of a key that is written otherwise than it is in force.
    pub enum Effect {
        /// A link or a template that was not there.
        Added = "added",
        /// A link or a template that is no longer there.
        Removed = "removed",
        /// Another value.
        Changed = "changed",
        /// The value in force stays until the daemon is started anew.
        NeedsRestart = "needs-restart",
    }
}

/// A key that is written otherwise than it is in force.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The key's path, with links and templates by their names: `link.br0.pool`.
    pub key: String,
    /// What becomes of it.
    pub effect: Effect,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.effect)
    }
}

/// Which settings are in force. No value is shown, since it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingsView {
    /// The file they are read from.
    pub file: String,
    /// When those in force were read.
    #[schemars(with = "scalar::Timestamp")]
    pub loaded: Timestamp,
    /// What became of the last reload; `null` when there was none since the start.
    pub last_reload: Option<ReloadOutcome>,
    /// How what is written now differs from what is in force; empty when there are faults.
    pub pending: Vec<Change>,
    /// What is wrong with what is written now, each with its key.
    pub faults: Vec<String>,
}

/// What became of a reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReloadOutcome {
    /// When it was asked for.
    #[schemars(with = "scalar::Timestamp")]
    pub at: Timestamp,
    /// Whether what was written came into force. Otherwise nothing was changed.
    pub ok: bool,
    /// Why it did not.
    pub faults: Vec<String>,
}

/// Settings that have come into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reloaded {
    /// When they were read.
    #[schemars(with = "scalar::Timestamp")]
    pub loaded: Timestamp,
    /// How they differ from those before, and what stays as it was until the daemon is started anew.
    pub changes: Vec<Change>,
}
