//! Ends each lease when its valid lifetime ends.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::serve::Context;
use orchestrator_model::Lease;
use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_store::Store;

/// A lease that is granted meanwhile may end before all others: the store is asked at least this often.
const PERIOD: Duration = Duration::from_secs(1);

pub(super) fn registration() -> Registration {
    Registration::new("lease expiry", "ends each lease when its valid lifetime ends")
        .every(PERIOD)
        .retrying(Backoff::constant(PERIOD))
}

/// Ends leases.
pub(super) struct Expiry {
    context: Context,
    store: Store,
}

impl Expiry {
    pub(super) fn new(context: &Context, store: &Store) -> Self {
        Self {
            context: context.clone(),
            store: store.clone(),
        }
    }

    /// Notifies those who have to do with a lease that has ended.
    fn notify(&self, lease: &Lease) {
        tracing::info!(client = %lease.client, leased = %lease.leased, link = lease.link, "lease expired");
        self.context.metrics.lease_event("expired");
        let notifications = &self.context.notifications;
        notifications.notify_leased(&lease.link, lease.leased, None);
        if !notifications.is_muted(&lease.link) {
            notifications.notify(lease.client);
        }
    }
}

#[async_trait]
impl Reconciler for Expiry {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let ended = self.store.expire_leases(self.context.clock.now()).await;
        ended
            .map_err(|fault| Failure::of(&fault))?
            .iter()
            .for_each(|lease| self.notify(lease));
        let next = self.store.next_lease_due().await.map_err(|fault| Failure::of(&fault))?;
        let Some(due) = next else {
            return Ok(Next::Wait);
        };
        // A moment after the end: an end that is this very millisecond has not passed yet.
        let until = due.since(self.context.clock.now()).min(PERIOD) + Duration::from_millis(1);
        Ok(Next::At(Instant::now() + until))
    }
}
