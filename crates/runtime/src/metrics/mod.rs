//! The daemon's metrics, served by `GET /metrics` in the OpenMetrics text format.
//!
//! Every refusal, drop and failure has a counter here, besides its line in the log. Each file has the metrics of one
//! part of the daemon: their names, their help, and the methods that count.

mod balancer;
mod daemon;
mod dhcp6;
mod dns;
mod image;
mod instance;
mod lease;
mod link;
mod policy;
mod portal;
mod volume;

use std::sync::Arc;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::log_limit::LogLimit;

pub use volume::VolumeTotals;

/// A label, whose name the constructor of its family sets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Label {
    name: &'static str,
    value: &'static str,
}

impl EncodeLabelSet for Label {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        [(self.name, self.value)].encode(encoder)
    }
}

type Labelled = Family<Label, Counter>;

/// The metrics. A cheap handle: all clones count together.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    log_limit: LogLimit,
    balancer: balancer::Balancer,
    daemon: daemon::Daemon,
    dhcp6: dhcp6::Dhcp6,
    dns: dns::Dns,
    image: image::Image,
    instance: instance::Instance,
    lease: lease::Lease,
    link: link::Link,
    policy: policy::Policy,
    portal: portal::Portal,
    volume: volume::Volume,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("orchestrator");
        Self {
            balancer: balancer::Balancer::register(&mut registry),
            daemon: daemon::Daemon::register(&mut registry),
            dhcp6: dhcp6::Dhcp6::register(&mut registry),
            dns: dns::Dns::register(&mut registry),
            image: image::Image::register(&mut registry),
            instance: instance::Instance::register(&mut registry),
            lease: lease::Lease::register(&mut registry),
            link: link::Link::register(&mut registry),
            policy: policy::Policy::register(&mut registry),
            portal: portal::Portal::register(&mut registry),
            volume: volume::Volume::register(&mut registry),
            log_limit: LogLimit::default(),
            registry: Arc::new(registry),
        }
    }
}

fn labelled(registry: &mut Registry, name: &str, help: &str) -> Labelled {
    let family = Labelled::default();
    registry.register(name, help, family.clone());
    family
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

/// Counts values of a label. Equal ones that follow one another cost one look-up.
fn count_all(family: &Labelled, name: &'static str, values: impl IntoIterator<Item = &'static str>) {
    let mut values = values.into_iter();
    let Some(mut value) = values.next() else { return };
    let mut times = 1;
    for next in values {
        if next != value {
            family.get_or_create(&Label { name, value }).inc_by(times);
            (value, times) = (next, 0);
        }
        times += 1;
    }
    family.get_or_create(&Label { name, value }).inc_by(times);
}

fn count(family: &Labelled, name: &'static str, value: &'static str) {
    family.get_or_create(&Label { name, value }).inc();
}

impl Metrics {
    /// All metrics in the OpenMetrics text format.
    ///
    /// # Errors
    ///
    /// When the encoder fails.
    pub fn render(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// The limit on log lines that strangers can cause. Each such line has a counter, too.
    pub fn log_limit(&self) -> &LogLimit {
        &self.log_limit
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_counted_can_be_read() {
        let metrics = Metrics::default();
        metrics.dhcp6_discarded("no-client-id");
        metrics.dhcp6_discarded("no-client-id");
        metrics.lease_events(["renewed", "renewed", "granted", "renewed"]);
        metrics.lease_events([]);
        metrics.instance_ready(Duration::from_millis(180));
        let text = metrics.render().unwrap();
        assert!(
            text.contains("orchestrator_dhcp6_discards_total{reason=\"no-client-id\"} 2"),
            "{text}"
        );
        for (outcome, times) in [("renewed", 3), ("granted", 1)] {
            let line = format!("orchestrator_lease_events_total{{outcome=\"{outcome}\"}} {times}");
            assert!(text.contains(&line), "{text}");
        }
        assert!(
            text.contains("orchestrator_instance_time_to_ready_seconds_bucket{le=\"0.2\"} 1"),
            "{text}"
        );
    }
}
