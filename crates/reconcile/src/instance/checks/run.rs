//! The task that makes the checks.

use std::collections::HashMap;
use std::future::Future;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

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

impl Checks {
    /// Makes every check when it is due, by `probe`, and calls `look` for each one that failed. Never ends.
    pub(in crate::instance) async fn run<F>(&self, probe: impl Fn(Check) -> F, look: impl Fn(&Check))
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut under_way = JoinSet::new();
        let mut asked = HashMap::new();
        loop {
            while under_way.len() < AT_ONCE {
                let Some(check) = self.schedule().take_due(Instant::now()) else {
                    break;
                };
                let task = under_way.spawn(probe(check.clone()));
                asked.insert(task.id(), check);
            }
            let next = self.schedule().next_due().filter(|_| under_way.len() < AT_ONCE);
            let due = async {
                match next {
                    Some(next) => sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(done) = under_way.join_next_with_id() => {
                    // A check that panicked has found nothing out.
                    let (task, outcome) = done.unwrap_or_else(|panicked| (panicked.id(), Outcome::Unknown));
                    let Some(check) = asked.remove(&task) else { continue };
                    if self.schedule().report(&check, outcome, Instant::now()) {
                        look(&check);
                    }
                }
                () = due => {}
                () = self.changed.notified() => {}
            }
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
