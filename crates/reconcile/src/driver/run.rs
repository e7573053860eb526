//! The life of one reconciler: wait, run, record the result, and again.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::row::Row;
use super::{Failure, Handle, Next, Reconciler, Registration};
use orchestrator_runtime::metrics::Metrics;
use orchestrator_settings::Current;

/// The reason that is shown for a run that panicked.
const PANICKED: &str =
    "it panicked, which is a defect of this program: please report it, with what standard error says";

/// One run of a reconciler, as the reconciler sees it.
pub struct Run {
    row: Row,
    stop: CancellationToken,
    settled: AtomicBool,
}

impl Run {
    pub(super) fn new(row: Row, stop: CancellationToken) -> Self {
        Self {
            row,
            stop,
            settled: AtomicBool::new(false),
        }
    }

    /// Says that the run now serves what it is for, and that earlier failures are over. Only a run that goes on for long
    /// needs to say so.
    pub fn settled(&self) {
        self.settled.store(true, Ordering::Relaxed);
        self.row.settle();
    }

    /// Says that the run goes on and that what it serves fails until the run has settled again. It tries that again after
    /// `again_in`.
    pub fn fails(&self, reason: &str, again_in: Duration) {
        self.row.fail(reason, Instant::now() + again_in);
    }

    /// Shows what the reconciler is concerned with now, in a few words.
    pub fn set_detail(&self, detail: impl Into<String>) {
        self.row.set_detail(detail.into());
    }

    /// Is cancelled when the run is to end.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }
}

/// Runs to the end, and says that the run has settled when it takes longer than `after`.
async fn settle<T>(future: impl Future<Output = T>, run: &Run, after: Option<Duration>) -> T {
    let Some(after) = after else {
        return future.await;
    };
    tokio::pin!(future);
    tokio::select! {
        biased;
        outcome = &mut future => return outcome,
        () = sleep(after) => run.settled(),
    }
    future.await
}

/// A reconciler with all that its life needs.
pub(super) struct Task<R> {
    pub(super) registration: Registration,
    pub(super) reconciler: R,
    pub(super) settings: Current,
    pub(super) metrics: Metrics,
    pub(super) handle: Handle,
    pub(super) run: Run,
}

/// The failures in a row, and when the next try is due because of them.
#[derive(Default)]
struct Streak {
    failures: u32,
    due: Option<Instant>,
    /// Why the last run failed.
    reason: Option<String>,
}

impl Streak {
    /// The next try, which is to be at `due`, unless it is due sooner already: notifications whose runs fail one after
    /// the other must not put it off.
    fn due(&mut self, now: Instant, due: Instant) -> Instant {
        let due = match self.due.filter(|due| *due > now) {
            Some(sooner) => sooner.min(due),
            None => due,
        };
        self.due = Some(due);
        due
    }
}

impl<R: Reconciler> Task<R> {
    /// Runs the reconciler until it is over or cancelled.
    pub(super) async fn drive(mut self) {
        let mut streak = Streak::default();
        while !self.run.stop.is_cancelled() {
            // This run reads the present settings, so they are no reason for another run.
            self.settings.news();
            self.run.row.begin();
            let Some(outcome) = self.run_once().await else { return };
            self.metrics.task_ended(self.registration.kind, outcome.is_ok());
            let due = match outcome {
                Ok(Next::Over) => return,
                Ok(next) => self.succeeded(next, &mut streak),
                Err(failure) => self.failed(failure, &mut streak),
            };
            self.wait(due).await;
        }
    }

    /// `None` when it was cancelled.
    async fn run_once(&mut self) -> Option<Result<Next, Failure>> {
        let run = AssertUnwindSafe(self.reconciler.reconcile(&self.run)).catch_unwind();
        let run = settle(run, &self.run, self.registration.settles_after);
        let outcome = match self.registration.ends_by_itself {
            true => run.await,
            false => self.handle.stop.run_until_cancelled(run).await?,
        };
        Some(outcome.unwrap_or_else(|_panic| {
            tracing::error!(task = self.registration.name, "{PANICKED}");
            Err(Failure::from(PANICKED.to_owned()))
        }))
    }

    /// Records that a run succeeded. Returns when the next one is due.
    fn succeeded(&self, next: Next, streak: &mut Streak) -> Option<Instant> {
        if streak.reason.is_some() && !self.registration.has_condition {
            tracing::info!(task = self.registration.name, "succeeds again");
        }
        *streak = Streak::default();
        self.run.settled.store(false, Ordering::Relaxed);
        let periodic = self.registration.period.map(|period| Instant::now() + period);
        let due = match next {
            Next::At(moment) => Some(periodic.map_or(moment, |periodic| periodic.min(moment))),
            Next::Wait | Next::Over => periodic,
        };
        self.run.row.succeeded(due);
        due
    }

    /// Records that a run failed. Returns when the next try is due.
    fn failed(&self, failure: Failure, streak: &mut Streak) -> Option<Instant> {
        let now = Instant::now();
        if self.run.settled.swap(false, Ordering::Relaxed) {
            *streak = Streak::default();
        }
        streak.failures = streak.failures.saturating_add(1);
        let due = match failure.recorded {
            Some(recorded) => recorded.due,
            None => streak.due(now, now + self.registration.backoff.pause(streak.failures)),
        };
        self.run.row.failed(&failure, due);
        let reason = String::from(failure);
        if streak.reason.as_ref() != Some(&reason) {
            let task = &self.registration.name;
            match self.registration.has_condition {
                true => tracing::debug!(task, reason, "failed"),
                false => tracing::warn!(task, reason, "failed; it is tried again"),
            }
            streak.reason = Some(reason);
        }
        Some(due)
    }

    /// Waits for whatever wakes the reconciler first.
    async fn wait(&mut self, due: Option<Instant>) {
        let due = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.handle.stop.cancelled() => {}
            () = due => {}
            () = self.handle.wake.notified() => {}
            _ = self.settings.changed(), if self.registration.follows_settings => {}
            () = self.reconciler.notified() => {}
        }
    }
}
