//! Tasks, which the daemon runs by itself.

use orchestrator_model::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;
use crate::word::words;

words! {
    /// The state of a task.
    pub enum TaskState {
        /// A run is under way. The task of a link runs for as long as the link is served.
        Running = "running",
        /// The last run succeeded, or there was none yet. The task waits for its next run.
        Waiting = "waiting",
        /// The last run failed. The task waits for its next try, or the next try is under way.
        Failing = "failing",
    }
}

words! {
    /// The result of a run.
    pub enum TaskResult {
        /// The run succeeded.
        Ok = "ok",
        /// The run failed; the task's `reason` says why.
        Failed = "failed",
    }
}

/// A task of the daemon, with its purpose and its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// The name of the task: `routes`, `link br0`.
    pub name: String,
    /// The purpose of the task, in one sentence.
    pub purpose: String,
    /// The state of the task.
    pub state: TaskState,
    /// When the task entered this state.
    #[schemars(with = "scalar::Timestamp")]
    pub since: Timestamp,
    /// When the last run began; the present run counts, too.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub last_start: Option<Timestamp>,
    /// The duration in milliseconds of the last run that has ended.
    pub last_duration_ms: Option<u64>,
    /// The result of the last run that has ended; `null` before the first.
    pub last_result: Option<TaskResult>,
    /// Why the last run failed, with all causes.
    pub reason: Option<String>,
    /// The number of failed runs in a row.
    pub failures: u32,
    /// When the next run begins at the latest; `null` during a run, and when the task only waits for a notification.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub next_try: Option<Timestamp>,
    /// Details on what the task works on now, if there are any.
    pub detail: Option<String>,
}
