//! How a reconciler is to be run, and the handle to one that runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Backoff;
use super::row::FailingRows;

/// The description of a reconciler for the driver.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The kind of task, for metrics: a word in the code, so that their number is bounded.
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) purpose: &'static str,
    pub(super) period: Option<Duration>,
    pub(super) backoff: Backoff,
    pub(super) follows_settings: bool,
    pub(super) ends_by_itself: bool,
    pub(super) has_condition: bool,
    pub(super) settles_after: Option<Duration>,
    pub(super) shown_while_failing: Option<FailingRows>,
}

impl Registration {
    /// A reconciler that runs at once and then when it is notified. `purpose` says in one sentence what it is for.
    pub fn new(kind: &'static str, purpose: &'static str) -> Self {
        Self {
            kind,
            name: kind.to_owned(),
            purpose,
            period: None,
            backoff: Backoff::default(),
            follows_settings: false,
            ends_by_itself: false,
            has_condition: false,
            settles_after: None,
            shown_while_failing: None,
        }
    }

    /// Names what the task is about, where there may be several of its kind: `link` and `br0` make `link br0`.
    #[must_use]
    pub fn about(mut self, subject: &str) -> Self {
        self.name = format!("{} {subject}", self.kind);
        self
    }

    /// Runs it again this long after each run that succeeded.
    #[must_use]
    pub fn every(mut self, period: Duration) -> Self {
        self.period = Some(period);
        self
    }

    /// Tries it again after these pauses when it fails.
    #[must_use]
    pub fn retrying(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Runs it when the settings change, also when they changed during a run.
    #[must_use]
    pub fn following_settings(mut self) -> Self {
        self.follows_settings = true;
        self
    }

    /// Lets a run end by itself when it is cancelled: it watches [`Run::stop`](super::Run::stop). Any other run is
    /// dropped at its next await.
    #[must_use]
    pub fn ending_by_itself(mut self) -> Self {
        self.ends_by_itself = true;
        self
    }

    /// Counts a run as settled after this time, as if it had called [`Run::settled`](super::Run::settled). For a run
    /// that cannot know by itself, such as a watch that is silent while nothing happens.
    #[must_use]
    pub fn settling_after(mut self, span: Duration) -> Self {
        self.settles_after = Some(span);
        self
    }

    /// Shows the task only while it fails, and only while one of these rows is free. For tasks of which there may be
    /// thousands, so that the few that matter are seen.
    #[must_use]
    pub fn shown_while_failing(mut self, rows: &FailingRows) -> Self {
        self.shown_while_failing = Some(rows.clone());
        self
    }

    /// Leaves it to the reconciler to log failures and their end: it sets a condition, or writes to the log itself.
    #[must_use]
    pub fn having_condition(mut self) -> Self {
        self.has_condition = true;
        self
    }
}

/// A reconciler that runs. A cheap handle; the reconciler runs on when all its handles are dropped.
#[derive(Debug, Clone)]
pub struct Handle {
    name: Arc<str>,
    pub(super) wake: Arc<Notify>,
    pub(super) stop: CancellationToken,
    ended: CancellationToken,
}

impl Handle {
    /// A handle, and a guard. When the guard is dropped, the handle's clones see that the reconciler has ended.
    pub(super) fn new(registration: &Registration, stop: CancellationToken) -> (Self, DropGuard) {
        let ended = CancellationToken::new();
        let handle = Self {
            name: registration.name.as_str().into(),
            wake: Arc::new(Notify::new()),
            stop,
            ended: ended.clone(),
        };
        (handle, ended.drop_guard())
    }

    /// The name of the task.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs the reconciler soon. During a run it causes one more run, however often it is called. Never waits.
    pub fn activate(&self) {
        self.wake.notify_one();
    }

    /// Ends the reconciler: a run that is under way at its next await, or by itself where it is registered so.
    pub fn cancel(&self) {
        self.stop.cancel();
    }

    /// Waits until the reconciler has ended. Cancel-safe.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }
}
