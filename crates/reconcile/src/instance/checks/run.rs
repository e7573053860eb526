//! Makes the checks that are due.

use std::collections::HashMap;
use std::future::Future;

use tokio::task::{Id, JoinSet};
use tokio::time::Instant;

use super::{Check, Checks};

/// Checks that are under way at once. Those that are due beyond it wait.
const AT_ONCE: usize = 64;

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::instance) enum Outcome {
    /// It reacted to a connection: its process is at work.
    Reacted,
    /// It took a connection, perhaps only in the kernel.
    Taken,
    /// Its wiring is as planned.
    AsPlanned,
    /// It failed, for this reason.
    Silent(&'static str),
    /// Nothing was found out: the fault was on this machine.
    Unknown,
}

/// The checks that are under way.
#[derive(Default)]
pub(in crate::instance) struct Round {
    tasks: JoinSet<Outcome>,
    checks: HashMap<Id, Check>,
}

impl Round {
    /// Begins every check that is due, by `probe`. Returns when the next one is; `None` when there is none, or as many
    /// are under way as may be.
    pub(in crate::instance) fn begin_due<F>(&mut self, checks: &Checks, probe: impl Fn(Check) -> F) -> Option<Instant>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        while self.tasks.len() < AT_ONCE {
            let Some(check) = checks.schedule().take_due(Instant::now()) else {
                return checks.schedule().next_due();
            };
            let task = self.tasks.spawn(probe(check.clone()));
            self.checks.insert(task.id(), check);
        }
        None
    }

    /// Waits until a check has ended or the schedule has changed. Returns the check if it failed. Cancel-safe.
    pub(in crate::instance) async fn changed(&mut self, checks: &Checks) -> Option<Check> {
        tokio::select! {
            biased;
            Some(done) = self.tasks.join_next_with_id() => {
                // A check that panicked has found nothing out.
                let (task, outcome) = done.unwrap_or_else(|panicked| (panicked.id(), Outcome::Unknown));
                let check = self.checks.remove(&task)?;
                checks.schedule().report(&check, outcome, Instant::now()).then_some(check)
            }
            () = checks.changed.notified() => None,
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
