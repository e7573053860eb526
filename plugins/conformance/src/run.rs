//! Runs the cases without a test harness.
//!
//! The suite is part of the program then. No panic of a case gets out of [`run`]: each case is a task of its own, and the
//! error of its join is a line of the report.

use std::sync::Arc;
use std::time::Duration;

use orchestrator_plugin::{Capabilities, Capability};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::panics::Panics;
use crate::{Case, Subject, cases};

/// How long one case may take.
const LIMIT: Duration = Duration::from_secs(180);

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The engine does as it must.
    Passed,
    /// It was not tried, for this reason.
    Skipped(String),
    /// The engine does not do as it must.
    Failed(String),
}

/// Runs each case whose name contains `filter` on an engine with these capabilities, one after the other. `report` is
/// called with the name and the outcome of each.
///
/// Panics of other tasks are kept from standard error meanwhile.
pub async fn run<S: Subject + 'static>(
    subject: Arc<S>,
    capabilities: Capabilities,
    filter: &str,
    mut report: impl FnMut(&'static str, Outcome),
) {
    let panics = Panics::keep();
    for case in cases::<S>().into_iter().filter(|case| case.name.contains(filter)) {
        let outcome = match skipped(&case, subject.as_ref(), capabilities) {
            Some(reason) => Outcome::Skipped(reason),
            None => attempt(&case, subject.clone(), &panics).await,
        };
        if matches!(outcome, Outcome::Failed(_)) {
            subject.clean_up().await;
            panics.take();
        }
        report(case.name, outcome);
    }
}

fn skipped<S: Subject>(case: &Case<S>, subject: &S, capabilities: Capabilities) -> Option<String> {
    let missing: Option<&Capability> = case.capabilities.iter().find(|one| !capabilities.has(**one));
    if let Some(missing) = missing {
        return Some(format!("it cannot {missing}"));
    }
    let need = case.needs.iter().find(|need| !subject.lends(**need))?;
    Some(format!("nobody here can {need}"))
}

async fn attempt<S: Subject + 'static>(case: &Case<S>, subject: Arc<S>, panics: &Panics) -> Outcome {
    let (run, runtime) = (case.run, Handle::current());
    // The cases are written for a thread of their own, as a harness gives them.
    let ended = spawn_blocking(move || runtime.block_on(async { timeout(LIMIT, run(subject)).await })).await;
    match ended {
        Ok(Ok(())) => Outcome::Passed,
        Ok(Err(_)) => Outcome::Failed(format!("it took longer than {LIMIT:?}")),
        Err(_) => Outcome::Failed(panics.take().unwrap_or_else(|| "it panicked".to_owned())),
    }
}
