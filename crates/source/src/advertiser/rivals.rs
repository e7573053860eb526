//! Detects other routers of a link, and advertisements that contradict the daemon's (RFC 4861, section 6.2.7).

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::time::Duration;

use orchestrator_dhcp6::advert::{Inconsistency, Overheard, RouterAdvertisement};
use orchestrator_network::Icmp6Message;

use orchestrator_runtime::metrics::Metrics;

/// The number of contradictions that are remembered as logged. A stranger may invent routers; further contradictions
/// are only counted.
const MOST_LOGGED: usize = 64;

/// How long after its last report a router is reported again. `check` and `doctor` read the reports of two hours, and so
/// find every router that goes on advertising.
const AGAIN: Duration = Duration::from_secs(3600);

/// The other routers of the link.
pub(super) struct Rivals {
    bridge: String,
    routers: Reported,
    logged: BTreeSet<(Ipv6Addr, Inconsistency)>,
    metrics: Metrics,
}

impl Rivals {
    pub(super) fn new(bridge: &str, metrics: Metrics) -> Self {
        Self {
            bridge: bridge.to_owned(),
            routers: Reported::default(),
            logged: BTreeSet::new(),
            metrics,
        }
    }

    /// Counts the contradictions between a received advertisement and the daemon's, and logs each one once. Returns the
    /// router if a report of it is due. `now` is the time since a moment that does not change, such as the daemon's start.
    pub(super) fn observe(
        &mut self,
        received: &Icmp6Message,
        ours: &RouterAdvertisement,
        now: Duration,
    ) -> Option<Ipv6Addr> {
        let overheard = Overheard::parse(&received.bytes, received.source, received.hop_limit)?;
        for what in overheard.inconsistencies(ours) {
            self.metrics.advertisement_contradicted(what.word());
            if self.logged.len() < MOST_LOGGED && self.logged.insert((received.source, what)) {
                tracing::warn!(
                    bridge = self.bridge,
                    router = %received.source,
                    what = what.word(),
                    "another router advertises otherwise; make both say the same, or silence one"
                );
            }
        }
        let router = received.source;
        let is_due = self.routers.is_due(router, now);
        if is_due {
            tracing::warn!(bridge = self.bridge, %router, "another router advertises itself on the link");
        }
        is_due.then_some(router)
    }
}

/// The routers that were reported, each with the time of its last report.
#[derive(Debug, Default)]
struct Reported(BTreeMap<Ipv6Addr, Duration>);

impl Reported {
    /// Whether a report of this router is due, and notes the report. At most [`MOST_LOGGED`] routers are reported within
    /// [`AGAIN`]: a stranger may invent any number of them.
    fn is_due(&mut self, router: Ipv6Addr, now: Duration) -> bool {
        let is_recent = |reported: &Duration| now.saturating_sub(*reported) < AGAIN;
        if self.0.get(&router).is_some_and(is_recent) {
            return false;
        }
        if self.0.len() >= MOST_LOGGED {
            self.0.retain(|_, reported| is_recent(reported));
        }
        if self.0.len() >= MOST_LOGGED {
            return false;
        }
        self.0.insert(router, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(number: u16) -> Ipv6Addr {
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, number)
    }

    #[test]
    fn a_router_that_goes_on_advertising_is_reported_each_hour() {
        let mut reported = Reported::default();
        let minutes = [0, 1, 59, 60, 61, 119, 120];
        let due = minutes.map(|minute| reported.is_due(router(1), Duration::from_secs(60 * minute)));
        assert_eq!(due, [true, false, false, true, false, false, true]);
    }

    #[test]
    fn a_fixed_number_of_invented_routers_is_reported_in_an_hour() {
        let mut reported = Reported::default();
        let mut due = |first: u16, now: u64| {
            let routers = first..first + 1000;
            routers
                .filter(|number| reported.is_due(router(*number), Duration::from_secs(now)))
                .count()
        };
        assert_eq!(
            (due(0, 0), due(1000, 3599), due(2000, 3600)),
            (MOST_LOGGED, 0, MOST_LOGGED)
        );
    }
}
