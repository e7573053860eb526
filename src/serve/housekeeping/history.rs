//! Forgets what is older than the settings ask to remember.

use std::time::Duration;

use async_trait::async_trait;

use crate::serve::Context;
use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_store::Store;

const PERIOD: Duration = Duration::from_secs(3600);
const RETRY: Duration = Duration::from_secs(60);

pub(super) fn registration() -> Registration {
    Registration::new("history", "forgets what is older than the settings ask to remember")
        .every(PERIOD)
        .retrying(Backoff::new(RETRY, PERIOD))
}

/// Forgets history.
pub(super) struct History {
    context: Context,
    store: Store,
}

impl History {
    pub(super) fn new(context: &Context, store: &Store) -> Self {
        Self {
            context: context.clone(),
            store: store.clone(),
        }
    }
}

#[async_trait]
impl Reconciler for History {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let before = self
            .context
            .clock
            .now()
            .minus(self.context.settings.get().store.history);
        let pruned = self.store.prune(before).await.map_err(|fault| Failure::of(&fault))?;
        tracing::debug!(?pruned, "forgot old history");
        Ok(Next::Wait)
    }
}
