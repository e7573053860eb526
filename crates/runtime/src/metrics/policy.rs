//! Metrics of the packet filter.

use orchestrator_model::Timestamp;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Labelled, Metrics, count, counter, gauge, labelled};

/// A link and a cause. There are as many as the settings have links, times the constant number of causes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Drop {
    link: String,
    cause: &'static str,
}

impl EncodeLabelSet for Drop {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        [("link", self.link.as_str()), ("cause", self.cause)].encode(encoder)
    }
}

/// A set of the packet filter: one of a constant number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Set(String);

impl EncodeLabelSet for Set {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        [("set", self.0.as_str())].encode(encoder)
    }
}

#[derive(Clone)]
pub(super) struct Policy {
    drops: Family<Drop, Counter>,
    would_be_drops: Family<Drop, Counter>,
    rebuilds: Labelled,
    elements: Family<Set, Gauge>,
    compared: Gauge,
    events_held_back: Counter,
}

impl Policy {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let drops = Family::default();
        registry.register(
            "policy_drops",
            "Packets that the packet filter dropped, by link and cause",
            drops.clone(),
        );
        let would_be_drops = Family::default();
        registry.register(
            "policy_would_be_drops",
            "Packets that the packet filter would have dropped on links with enforce = false, by link and cause",
            would_be_drops.clone(),
        );
        let elements = Family::default();
        registry.register(
            "policy_elements",
            "Elements of the packet filter, by set",
            elements.clone(),
        );
        Self {
            drops,
            would_be_drops,
            rebuilds: labelled(
                registry,
                "policy_rebuilds",
                "How often the rules were made anew, by reason",
            ),
            elements,
            compared: gauge(
                registry,
                "policy_compared_timestamp_seconds",
                "When all that is in the packet filter was last compared with what is to be there",
            ),
            events_held_back: counter(
                registry,
                "policy_events_held_back",
                "Senders of dropped packets that got no event, because there were too many at once",
            ),
        }
    }
}

impl Metrics {
    /// Counts packets that the packet filter did not allow. `link` is the name of a link of the settings.
    pub fn policy_dropped(&self, link: &str, cause: &'static str, is_enforced: bool, packets: u64) {
        let family = match is_enforced {
            true => &self.policy.drops,
            false => &self.policy.would_be_drops,
        };
        let link = link.to_owned();
        family.get_or_create(&Drop { link, cause }).inc_by(packets);
    }

    /// Counts that the rules were made anew.
    pub fn policy_rebuilt(&self, reason: &'static str) {
        count(&self.policy.rebuilds, "reason", reason);
    }

    /// Records how many elements a set of the packet filter has: `bridge/o_pair`.
    pub fn policy_elements(&self, set: &str, elements: usize) {
        let elements = i64::try_from(elements).unwrap_or(i64::MAX);
        self.policy.elements.get_or_create(&Set(set.to_owned())).set(elements);
    }

    /// Records when everything was last compared.
    pub fn policy_compared(&self, at: Timestamp) {
        self.policy.compared.set(at.0 / 1000);
    }

    /// Counts a sender of dropped packets that got no event.
    pub fn policy_event_held_back(&self) {
        self.policy.events_held_back.inc();
    }
}
