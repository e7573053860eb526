//! What the doctor found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::word::words;

words! {
    /// Whether the daemon runs.
    pub enum DaemonState {
        /// It runs, and has its database.
        Running = "running",
        /// It runs, and waits for its database.
        Starting = "starting",
        /// It does not answer. Only the command line says so.
        Stopped = "stopped",
    }
}

words! {
    /// How bad a finding is.
    pub enum Severity {
        /// Some client does not get its service, or nothing is checked where it should be.
        Error = "error",
        /// Clients are served, but something should be mended.
        Warning = "warning",
    }
}

words! {
    /// The state of a part of the system.
    pub enum AreaState {
        /// Everything was examined, and nothing is wrong.
        Healthy = "healthy",
        /// Something is wrong.
        Wrong = "wrong",
        /// Nothing wrong was found, but not everything could be examined.
        Unknown = "unknown",
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The stable word for its kind, such as `forwarding-off`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// The part of the system that it is about.
    pub area: String,
    /// What was found, on what.
    pub what: String,
    /// What that means for clients, or for the operator.
    pub means: String,
    /// The command that mends it, or what to do.
    pub mend: String,
    /// Whether `POST /v1/doctor/fix` mends it.
    pub fixable: bool,
}

/// A part of the system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExaminedArea {
    /// Its name, such as `forwarding`.
    pub area: String,
    /// Its state.
    pub state: AreaState,
    /// What was seen there, and what could not be examined, with the reason.
    pub seen: String,
}

/// Something that was done to mend a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mended {
    /// What was done; what was tried, if it failed.
    pub what: String,
    /// Why it failed; `null` if it succeeded.
    pub failed: Option<String>,
}

/// What the doctor found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Doctor {
    /// Whether the daemon runs.
    pub daemon: DaemonState,
    /// What is wrong: errors first.
    pub findings: Vec<Finding>,
    /// Every part of the system.
    pub areas: Vec<ExaminedArea>,
    /// What was done to mend findings. The findings are those after that.
    pub done: Vec<Mended>,
}
