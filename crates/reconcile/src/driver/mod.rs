//! Runs reconcilers: one way to wake them, to try again after a failure, to cancel them, and to show what they do.
//!
//! A reconciler brings one thing to what it should be: the kernel's routes, a link, the leases that have ended. It takes
//! no input but the store and the world, so that it may run at any time, and once more than needed.
//!
//! ```text
//!   notification ─────┐
//!   period, due time ─┤                  ┌── Ok ───▶ waiting
//!   other settings ───┼──▶ reconcile() ──┤
//!   activate() ───────┘        ▲         └── Err ──▶ failing ──┐
//!                              └───── after a longer pause ────┘
//! ```
//!
//! - A reconciler never overlaps with itself: one task owns it. What wakes it during a run causes one more run.
//! - A reconciler has no retries of its own. It returns why it failed, and the driver tries again ([`Backoff`]).
//! - A notification also ends the pause after a failure: something changed, so that the next try may succeed.
//! - The status is shown ([`Tasks`]): since when it runs or waits, how the last run ended, when the next one is due. The
//!   row ends with the reconciler.
//! - Tasks of which there may be thousands, such as those of instances, have a row only while they fail
//!   ([`FailingRows`]).
//! - A run that panics is a run that failed: the others go on, and it is tried again.
//! - A reconciler that serves something, a link or an engine, runs for as long as all is well. It says so once it serves
//!   ([`Run::settled`]), and returns when it has to begin anew.
//!
//! What was rejected is in `docs/decisions/one-driver-runs-every-reconciler.md`.

mod backoff;
mod reconciler;
mod registration;
mod row;
mod run;
mod set;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::backoff::Backoff;
pub use self::reconciler::{Failure, Next, Reconciler};
pub use self::registration::{Handle, Registration};
pub use self::row::FailingRows;
pub use self::run::Run;
pub use self::set::TaskSet;
use orchestrator_runtime::metrics::Metrics;
use orchestrator_runtime::tasks::Tasks;
use orchestrator_settings::Current;

/// Runs reconcilers until the daemon stops. A cheap handle: all clones are one driver.
#[derive(Clone)]
pub struct Driver {
    parts: Parts,
}

/// The environment of a driver.
#[derive(Clone)]
pub struct Parts {
    /// The settings in force: a change wakes the reconcilers that depend on them.
    pub settings: Current,
    /// Where the status of each reconciler is shown.
    pub tasks: Tasks,
    /// Where runs and failures are counted.
    pub metrics: Metrics,
    /// Where the reconcilers' tasks are spawned. Wait for it to see them ended.
    pub tracker: TaskTracker,
    /// Ends all reconcilers.
    pub stop: CancellationToken,
}

impl Driver {
    /// A driver without reconcilers.
    pub fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// Runs a reconciler from now on: at once, and then whenever it is woken. It ends when it says so, when its handle
    /// cancels it, or when the driver stops.
    pub fn register(&self, registration: Registration, reconciler: impl Reconciler) -> Handle {
        let (handle, ending) = Handle::new(&registration, self.parts.stop.child_token());
        let parts = &self.parts;
        let row = row::Row::of(&registration, &parts.tasks);
        let task = run::Task {
            settings: parts.settings.clone(),
            metrics: parts.metrics.clone(),
            run: Run::new(row, handle.stop.clone()),
            handle: handle.clone(),
            registration,
            reconciler,
        };
        parts.tracker.spawn(async move {
            task.drive().await;
            drop(ending);
        });
        handle
    }
}

#[cfg(test)]
mod tests;
