//! Detects other routers of a link, and advertisements that contradict the daemon's (RFC 4861, section 6.2.7).

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use orchestrator_dhcp6::advert::{Inconsistency, Overheard, RouterAdvertisement};
use orchestrator_network::Icmp6Message;

use orchestrator_runtime::metrics::Metrics;

/// The number of contradictions that are remembered as logged. A stranger may invent routers; further contradictions
/// are only counted.
const MOST_LOGGED: usize = 64;

/// The other routers of the link.
pub(super) struct Rivals {
    bridge: String,
    /// The routers that were observed.
    routers: BTreeSet<Ipv6Addr>,
    logged: BTreeSet<(Ipv6Addr, Inconsistency)>,
    metrics: Metrics,
}

impl Rivals {
    pub(super) fn new(bridge: &str, metrics: Metrics) -> Self {
        Self {
            bridge: bridge.to_owned(),
            routers: BTreeSet::new(),
            logged: BTreeSet::new(),
            metrics,
        }
    }

    /// Counts the contradictions between a received advertisement and the daemon's, and logs each one once. Returns the
    /// router if it was not observed before.
    pub(super) fn observe(&mut self, received: &Icmp6Message, ours: &RouterAdvertisement) -> Option<Ipv6Addr> {
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
        let is_new = self.routers.len() < MOST_LOGGED && self.routers.insert(router);
        if is_new {
            tracing::warn!(bridge = self.bridge, %router, "another router advertises itself on the link");
        }
        is_new.then_some(router)
    }
}
