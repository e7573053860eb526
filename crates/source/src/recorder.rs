//! The recorder: commits every lease event, counts it, and notifies the reconcilers.

use std::net::Ipv6Addr;

use orchestrator_model::{Duid, LeaseChange, LeaseVerb, Leased, NewEvent, Timestamp};
use orchestrator_runtime::metrics::Metrics;
use orchestrator_runtime::notifications::Notifications;
use orchestrator_store::{Store, StoreError};

/// Records lease events. A cheap handle.
#[derive(Clone)]
pub struct Recorder {
    store: Store,
    notifications: Notifications,
    metrics: Metrics,
}

impl Recorder {
    /// A recorder that writes to `store` and notifies by `notifications`.
    pub fn new(store: Store, notifications: Notifications, metrics: Metrics) -> Self {
        Self {
            store,
            notifications,
            metrics,
        }
    }

    /// Commits the changes, all or none, and notifies their clients' reconcilers.
    ///
    /// # Errors
    ///
    /// When the store could not commit: nothing is recorded.
    pub async fn record(&self, changes: Vec<LeaseChange>) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let prefixes: Vec<_> = changes.iter().filter_map(route_of).collect();
        let links = links(&changes);
        let outcomes = self.store.record_leases(changes).await?;
        for (link, leased, next_hop) in prefixes {
            self.notifications.notify_leased(&link, leased, next_hop);
        }
        let silent = links.iter().all(|link| self.notifications.is_muted(link));
        self.metrics
            .lease_events(outcomes.iter().map(|recorded| recorded.outcome.word()));
        for recorded in outcomes {
            if let Some(client) = recorded.client.filter(|_| recorded.moved) {
                self.notifications.notify_place(client);
            }
            if let Some(client) = recorded.client.filter(|_| recorded.renamed) {
                self.notifications.notify_name(client);
            }
            if let Some(client) = recorded.client.filter(|_| recorded.matters && !silent) {
                self.notifications.notify(client);
            }
        }
        Ok(())
    }

    /// When the present or last lease of an address or prefix of a link ends or ended by its lifetime.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn end_of(&self, link: &str, leased: Leased) -> Result<Option<Timestamp>, StoreError> {
        self.store.end_of(link, leased).await
    }

    /// Adds a row to the timeline that concerns no client.
    ///
    /// # Errors
    ///
    /// When the store could not commit.
    pub async fn report(&self, event: NewEvent) -> Result<(), StoreError> {
        self.store.append_event(event).await.map(drop)
    }

    /// Adds a row to the timeline of the client with this DUID on the row's link.
    ///
    /// # Errors
    ///
    /// When the store could not commit.
    pub async fn note(&self, duid: Duid, event: NewEvent) -> Result<(), StoreError> {
        self.store.append_event_of(duid, event).await.map(drop)
    }
}

/// The notification for the route reconciler, or `None` for changes to single addresses, which need no route.
fn route_of(change: &LeaseChange) -> Option<(String, Leased, Option<Ipv6Addr>)> {
    change.leased.prefix()?;
    let next_hop = change.next_hop.filter(|_| change.verb == LeaseVerb::Hold);
    Some((change.link.clone(), change.leased, next_hop))
}

/// The links of changes. Changes that come together usually have one link.
fn links(changes: &[LeaseChange]) -> Vec<String> {
    let mut links: Vec<String> = Vec::new();
    for change in changes {
        if links.last() != Some(&change.link) {
            links.push(change.link.clone());
        }
    }
    links
}
