//! Searches the whole database for damage, at the start and once a day.

use std::time::Duration;

use async_trait::async_trait;

use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_store::Store;

const PERIOD: Duration = Duration::from_secs(24 * 3600);
/// It reads everything, so that it is not tried again at once.
const RETRY: Duration = Duration::from_secs(3600);

pub(super) fn registration() -> Registration {
    Registration::new("database examination", "searches the whole database for damage")
        .every(PERIOD)
        .retrying(Backoff::new(RETRY, PERIOD))
        // That of the database, which goes by what is found here too.
        .having_condition()
}

/// Examines the database.
pub(super) struct Examination {
    store: Store,
}

impl Examination {
    pub(super) fn new(store: &Store) -> Self {
        Self { store: store.clone() }
    }
}

#[async_trait]
impl Reconciler for Examination {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        self.store.examine().await.map_err(|fault| Failure::of(&fault))?;
        Ok(Next::Wait)
    }
}
