//! Metrics of volumes.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Metrics, counter, gauge};

#[derive(Clone)]
pub(super) struct Volume {
    volumes: Gauge,
    unlimited: Gauge,
    bytes: Gauge,
    limit: Gauge,
    failures: Counter,
}

impl Volume {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            volumes: gauge(registry, "volumes", "Volumes that are recorded"),
            unlimited: gauge(
                registry,
                "volumes_not_enforced",
                "Volumes whose size is not enforced by their file system",
            ),
            bytes: gauge(
                registry,
                "volume_bytes",
                "Bytes that all volumes take, as last measured",
            ),
            limit: gauge(
                registry,
                "volume_limit_bytes",
                "Bytes that all volumes with an enforced size may take",
            ),
            failures: counter(
                registry,
                "volume_measurement_failures",
                "Times that a volume could not be measured",
            ),
        }
    }
}

/// All volumes together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VolumeTotals {
    /// How many are recorded.
    pub count: u64,
    /// How many have a size that nothing enforces.
    pub not_enforced: u64,
    /// Bytes that they take.
    pub bytes: u64,
    /// Bytes that those with an enforced size may take.
    pub limit: u64,
}

impl Metrics {
    /// Shows what all volumes take.
    pub fn volumes_measured(&self, totals: VolumeTotals) {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.volume.volumes.set(number(totals.count));
        self.volume.unlimited.set(number(totals.not_enforced));
        self.volume.bytes.set(number(totals.bytes));
        self.volume.limit.set(number(totals.limit));
    }

    /// Counts a volume that could not be measured.
    pub fn volume_not_measured(&self) {
        self.volume.failures.inc();
    }
}
