//! Shows whether the database answers, takes commits, and is still the one that was opened.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::serve::{Context, storage};
use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_runtime::causes::with_causes;
use orchestrator_store::{Store, StoreError};

/// Between two commits that only ask whether the database takes them.
const COMMIT_PERIOD: Duration = Duration::from_secs(2);
/// Between two looks whether the database's file is still in its place.
const FILE_PERIOD: Duration = Duration::from_millis(500);

pub(super) fn registration() -> Registration {
    Registration::new(
        storage::CONDITION,
        "shows whether the database takes commits and is the one that was opened",
    )
    .every(FILE_PERIOD)
    .retrying(Backoff::constant(COMMIT_PERIOD))
    .having_condition()
}

/// Asks the database every few seconds.
pub(super) struct Database {
    context: Context,
    store: Store,
    /// When it is next asked to take a commit.
    commit_due: Instant,
    /// The code of the fault that the log has last.
    logged: Option<&'static str>,
}

impl Database {
    pub(super) fn new(context: &Context, store: &Store) -> Self {
        Self {
            context: context.clone(),
            store: store.clone(),
            commit_due: Instant::now(),
            logged: None,
        }
    }

    fn show(&mut self, fault: &StoreError) -> Failure {
        let (code, reason) = (fault.code(), with_causes(fault));
        self.context.metrics.store_failed(code);
        if !fault.is_away() && self.logged.replace(code) != Some(code) {
            tracing::error!(code, reason, "no lease is confirmed");
        }
        self.context.conditions.set_waiting(storage::CONDITION, reason.as_str());
        reason.into()
    }
}

#[async_trait]
impl Reconciler for Database {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        if Instant::now() < self.commit_due {
            if let Err(fault) = self.store.is_in_place() {
                // Only a commit can show that all is well again.
                self.commit_due = Instant::now();
                return Err(self.show(&fault));
            }
            return Ok(Next::Wait);
        }
        self.store.ping().await.map_err(|fault| self.show(&fault))?;
        self.commit_due = Instant::now() + COMMIT_PERIOD;
        self.logged = None;
        self.context.conditions.set_ok(storage::CONDITION);
        Ok(Next::Wait)
    }
}
