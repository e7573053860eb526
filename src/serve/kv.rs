//! Removes the keys that are bound to what has ended.

use std::time::Duration;

use async_trait::async_trait;
use orchestrator_model::{Event, EventKind};
use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_runtime::causes::with_causes;
use orchestrator_store::Store;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::Context;

/// Between two times at which all bound keys are checked, whatever was notified.
const PERIOD: Duration = Duration::from_secs(60);
/// Before the next try after a failure.
const RETRY: Duration = Duration::from_secs(2);

/// Removes keys until the daemon stops.
pub(super) fn register(context: &Context, store: &Store) {
    let purpose = "removes the keys of instances, leases and clients that have ended";
    let registration = Registration::new("kv", purpose)
        .every(PERIOD)
        .retrying(Backoff::constant(RETRY));
    let sweeper = Sweeper {
        context: context.clone(),
        store: store.clone(),
        committed: store.subscribe(),
    };
    context.driver.register(registration, sweeper);
}

struct Sweeper {
    context: Context,
    store: Store,
    committed: Receiver<Event>,
}

#[async_trait]
impl Reconciler for Sweeper {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        loop {
            let removed = self.store.remove_ended_kv(self.context.clock.now()).await;
            match removed.map_err(|fault| with_causes(&fault))? {
                0 => return Ok(Next::Wait),
                keys => tracing::info!(keys, "removed the keys of what has ended"),
            }
        }
    }

    async fn notified(&mut self) {
        loop {
            match self.committed.recv().await {
                Ok(event) if ends_a_life(event.kind) => return,
                Ok(_) => {}
                // Some may have been among those that were missed.
                Err(RecvError::Lagged(_)) => return,
                // The store was closed: the daemon stops.
                Err(RecvError::Closed) => std::future::pending::<()>().await,
            }
        }
    }
}

/// Whether an instance or a lease may have ended with this event.
fn ends_a_life(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::InstanceDestroyed
            | EventKind::InstanceExpired
            | EventKind::InstanceRemoved
            | EventKind::LeaseReleased
            | EventKind::LeaseExpired
            | EventKind::LeaseDeclined
    )
}
