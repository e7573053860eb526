//! Facts about the daemon.

use serde::{Deserialize, Serialize};

/// Whether the daemon runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DaemonState {
    /// It runs, and has its database.
    Running,
    /// It runs, and waits for its database.
    Starting,
    /// It does not answer.
    Stopped {
        /// How asking it failed.
        reason: String,
    },
}

/// The daemon, and what it waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonFacts {
    /// Whether it runs.
    pub state: DaemonState,
    /// Its conditions that are not met.
    pub unmet: Vec<ConditionFacts>,
    /// By how many milliseconds the wall clock differs from the daemon's own; `None` without a daemon.
    pub clock_offset: Option<i64>,
}

/// A condition that is not met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionFacts {
    /// Its name, such as `link br0`.
    pub name: String,
    /// Whether the daemon needs it to be ready.
    pub is_needed: bool,
    /// Why it is not met, and what to do.
    pub reason: String,
}
