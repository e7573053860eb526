//! Where every lease event goes: recorded, counted, and then told to whoever acts on it.

use crate::bell::Bell;
use crate::metrics::Metrics;
use crate::model::LeaseChange;
use crate::store::{Store, StoreError};

/// Records lease events. A cheap handle.
#[derive(Clone)]
pub struct Recorder {
    store: Store,
    bell: Bell,
    metrics: Metrics,
}

impl Recorder {
    /// A recorder into `store` that rings `bell`.
    pub fn new(store: Store, bell: Bell, metrics: Metrics) -> Self {
        Self { store, bell, metrics }
    }

    /// Makes the changes durable, all or none, and rings for their clients.
    ///
    /// # Errors
    ///
    /// When the store could not commit: nothing is recorded.
    pub async fn record(&self, changes: Vec<LeaseChange>) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let links = links(&changes);
        let outcomes = self.store.record_leases(changes).await?;
        let silent = links.iter().all(|link| self.bell.is_silent(link));
        for recorded in outcomes {
            self.metrics.lease_event(recorded.outcome.word());
            if let Some(client) = recorded.client.filter(|_| recorded.matters && !silent) {
                self.bell.ring(client);
            }
        }
        Ok(())
    }
}

/// The links of changes; of changes that come together there is one, as a rule.
fn links(changes: &[LeaseChange]) -> Vec<String> {
    let mut links: Vec<String> = Vec::new();
    for change in changes {
        if links.last() != Some(&change.link) {
            links.push(change.link.clone());
        }
    }
    links
}
