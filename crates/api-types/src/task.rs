//! What the daemon does by itself.

use orchestrator_model::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;
use crate::word::words;

words! {
    /// What a task does at the moment.
    pub enum TaskState {
        /// A run is under way. For a link that is as long as it is served.
        Running = "running",
        /// The last run succeeded, or there was none yet. The task waits for its next one.
        Waiting = "waiting",
        /// The last run failed. The task is tried again, or is being tried again.
        Failing = "failing",
    }
}

words! {
    /// How a run ended.
    pub enum TaskResult {
        /// It did what it is for.
        Ok = "ok",
        /// It did not; the task's `reason` says why.
        Failed = "failed",
    }
}

/// A task of the daemon: what it is for, and what it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// What it is called: `routes`, `link br0`.
    pub name: String,
    /// What it is for, in one sentence.
    pub purpose: String,
    /// What it does at the moment.
    pub state: TaskState,
    /// Since when it has been in this state.
    #[schemars(with = "scalar::Timestamp")]
    pub since: Timestamp,
    /// When its last run began, or the one that is under way.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub last_start: Option<Timestamp>,
    /// How many milliseconds its last run took that has ended.
    pub last_duration_ms: Option<u64>,
    /// How its last run ended; `null` before the first one has.
    pub last_result: Option<TaskResult>,
    /// Why its last run failed, with all causes.
    pub reason: Option<String>,
    /// How many runs in a row have failed.
    pub failures: u32,
    /// When it runs next, if nothing wakes it before; `null` while it runs, and when it only waits to be woken.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub next_try: Option<Timestamp>,
    /// What it is concerned with now, where there is more to say.
    pub detail: Option<String>,
}
