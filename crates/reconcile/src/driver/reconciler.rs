//! Reconcilers, and the results of their runs.

use std::error::Error;
use std::fmt;
use std::future::pending;

use async_trait::async_trait;
use tokio::time::Instant;

use super::Run;
use orchestrator_runtime::causes::with_causes;

/// Brings one thing to what it should be.
#[async_trait]
pub trait Reconciler: Send + 'static {
    /// Compares what is wanted with what is there, and does something about the difference. Idempotent: it may run at
    /// any time, and is dropped at any await when it is cancelled, unless its registration says that it
    /// [ends by itself](super::Registration::ending_by_itself).
    ///
    /// # Errors
    ///
    /// Why it failed. It is tried again after a pause, or when it is woken.
    async fn reconcile(&mut self, run: &Run) -> Result<Next, Failure>;

    /// Waits until something happens that it must run for: a change that was committed, a message of the kernel.
    ///
    /// Must be cancel-safe: the driver drops the wait when something else wakes the reconciler. What was taken in
    /// belongs into `self`. Waits for ever if nothing notifies this reconciler.
    async fn notified(&mut self) {
        pending().await
    }
}

/// When a reconciler whose run succeeded runs again, if nothing wakes it before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// After its period; without a period, only when it is woken.
    Wait,
    /// At this moment, or after its period if that is sooner.
    At(Instant),
    /// Never: what it was for is gone. The task ends.
    Over,
}

/// Why a run failed, as one line for people, with all its causes and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    reason: String,
    /// What failed, where its registration does not name it.
    pub(super) subject: Option<String>,
    /// The tries that are recorded, where the driver does not count them.
    pub(super) recorded: Option<Recorded>,
}

/// How often something failed in a row, and when it is tried again, as the record has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) failures: u32,
    pub(super) due: Instant,
}

impl Failure {
    /// The error and what caused it.
    pub fn of(error: &dyn Error) -> Self {
        with_causes(error).into()
    }

    /// Names what failed. The row of a task that is shown only while it fails is called after it.
    #[must_use]
    pub fn about(mut self, subject: impl fmt::Display) -> Self {
        self.subject = Some(subject.to_string());
        self
    }

    /// Has the task tried again at `due`, and not by the driver's pauses: its back-off is in the record, where it
    /// outlives the daemon. `failures` is how often it has failed in a row.
    #[must_use]
    pub fn recorded(mut self, failures: u32, due: Instant) -> Self {
        self.recorded = Some(Recorded { failures, due });
        self
    }
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self {
            reason,
            subject: None,
            recorded: None,
        }
    }
}

impl From<Failure> for String {
    fn from(failure: Failure) -> Self {
        failure.reason
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.reason)
    }
}
