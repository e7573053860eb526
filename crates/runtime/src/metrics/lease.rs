//! Metrics of lease events, and of the hosts and spooled files that they come from.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::{Labelled, Metrics, count, count_all, counter, labelled};

#[derive(Clone)]
pub(super) struct Lease {
    lease_events: Labelled,
    lease_events_refused: Labelled,
    commits_failed: Counter,
    neighbors: Labelled,
    spooled: Counter,
    spool_set_aside: Counter,
}

impl Lease {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            lease_events: labelled(registry, "lease_events", "Lease events recorded, by outcome"),
            lease_events_refused: labelled(registry, "lease_events_refused", "Lease events not recorded, by reason"),
            commits_failed: counter(
                registry,
                "lease_commits_failed",
                "Batches of bindings that could not be committed",
            ),
            neighbors: labelled(registry, "neighbors", "Hosts that were seen on a link, by outcome"),
            spooled: counter(
                registry,
                "lease_events_spooled",
                "Lease events read back from the spool",
            ),
            spool_set_aside: counter(
                registry,
                "spool_set_aside",
                "Files in the spool of dnsmasq's events that could not be read as an event",
            ),
        }
    }
}

impl Metrics {
    /// Counts a recorded lease event.
    pub fn lease_event(&self, outcome: &'static str) {
        count(&self.lease.lease_events, "outcome", outcome);
    }

    /// Counts recorded lease events with these outcomes.
    pub fn lease_events(&self, outcomes: impl IntoIterator<Item = &'static str>) {
        count_all(&self.lease.lease_events, "outcome", outcomes);
    }

    /// Counts a lease event that was not recorded.
    pub fn lease_event_refused(&self, reason: &'static str) {
        count(&self.lease.lease_events_refused, "reason", reason);
    }

    /// Counts a failed commit of bindings, whose messages got no answer.
    pub fn commit_failed(&self) {
        self.lease.commits_failed.inc();
    }

    /// Counts a host that was observed on a link.
    pub fn neighbor(&self, outcome: &'static str) {
        count(&self.lease.neighbors, "outcome", outcome);
    }

    /// Counts a lease event that was read from the spool.
    pub fn spooled(&self) {
        self.lease.spooled.inc();
    }

    /// Counts files in the spool that could not be read as events.
    pub fn spool_set_aside(&self, count: u64) {
        self.lease.spool_set_aside.inc_by(count);
    }
}
