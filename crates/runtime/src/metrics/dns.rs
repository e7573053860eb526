//! Metrics of the DNS server.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{Label, Labelled, Metrics, count, count_all, counter, labelled};

/// The ends of the classes of the time until a change is in the answers, in seconds.
const CHANGE_TIMES: [f64; 9] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0];

#[derive(Clone)]
pub(super) struct Dns {
    by_udp: Labelled,
    by_tcp: Labelled,
    dropped: Labelled,
    forwarded: Labelled,
    changes: Counter,
    change_time: Histogram,
    names: Family<Label, Gauge>,
}

impl Dns {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let names = Family::default();
        registry.register("dns_names", "Names that the DNS server has, by kind", names.clone());
        let change_time = Histogram::new(CHANGE_TIMES);
        registry.register(
            "dns_change_seconds",
            "Time from the record of a change of a lease, an instance or a service until it is in the answers",
            change_time.clone(),
        );
        Self {
            by_udp: labelled(
                registry,
                "dns_answers_udp",
                "DNS queries by UDP that were answered, by what was said",
            ),
            by_tcp: labelled(
                registry,
                "dns_answers_tcp",
                "DNS queries by TCP that were answered, by what was said",
            ),
            dropped: labelled(
                registry,
                "dns_dropped",
                "DNS queries and connections that got no answer, by reason",
            ),
            forwarded: labelled(
                registry,
                "dns_forwarded",
                "DNS queries for other names that were forwarded, by outcome",
            ),
            changes: counter(
                registry,
                "dns_changes",
                "Times that the names of the DNS server changed",
            ),
            change_time,
            names,
        }
    }
}

impl Metrics {
    /// Counts DNS queries that were answered by `udp` or `tcp`, by what was said.
    pub fn dns_answered(&self, transport: &'static str, outcomes: impl IntoIterator<Item = &'static str>) {
        let family = match transport {
            "tcp" => &self.dns.by_tcp,
            _ => &self.dns.by_udp,
        };
        count_all(family, "outcome", outcomes);
    }

    /// Counts DNS queries that got no answer.
    pub fn dns_dropped(&self, reasons: impl IntoIterator<Item = &'static str>) {
        count_all(&self.dns.dropped, "reason", reasons);
    }

    /// Counts a DNS query that was forwarded.
    pub fn dns_forwarded(&self, outcome: &'static str) {
        count(&self.dns.forwarded, "outcome", outcome);
    }

    /// Records that other names are in the answers, so long after they were recorded, if that is known.
    pub fn dns_changed(&self, after: Option<Duration>) {
        self.dns.changes.inc();
        if let Some(after) = after {
            self.dns.change_time.observe(after.as_secs_f64());
        }
    }

    /// Records how many names of each kind there are.
    pub fn dns_names(&self, sizes: [(&'static str, usize); 3]) {
        for (value, size) in sizes {
            let label = Label { name: "kind", value };
            let gauge = self.dns.names.get_or_create(&label);
            gauge.set(i64::try_from(size).unwrap_or(i64::MAX));
        }
    }
}
