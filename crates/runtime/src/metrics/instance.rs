//! Metrics of instances and engines.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{Labelled, Metrics, count, counter, gauge, labelled};

/// Upper bounds of the time to ready, in seconds.
const TIME_TO_READY: [f64; 12] = [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0];

#[derive(Clone)]
pub(super) struct Instance {
    instances_ready: Counter,
    instances_removed: Counter,
    instances_disturbed: Counter,
    instances_restarted: Counter,
    instances_stopped: Counter,
    instances_expired: Labelled,
    instance_checks: Labelled,
    instances_over_disk: Counter,
    orphans_removed: Counter,
    provision_failures: Labelled,
    removal_failures: Labelled,
    instance_waits: Labelled,
    instances_refused: Labelled,
    instances_waiting: Gauge,
    engine_losses: Counter,
    engine_hangs: Counter,
    time_to_ready: Histogram,
}

impl Instance {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let time_to_ready = Histogram::new(TIME_TO_READY);
        registry.register(
            "instance_time_to_ready_seconds",
            "Seconds from the first step of an instance to its first answer",
            time_to_ready.clone(),
        );
        Self {
            instances_ready: counter(registry, "instances_ready", "Instances that became ready"),
            instances_removed: counter(registry, "instances_removed", "Instances that were removed"),
            instances_disturbed: counter(
                registry,
                "instances_disturbed",
                "Times that a ready instance was found degraded",
            ),
            instances_restarted: counter(
                registry,
                "instances_restarted",
                "Restarts of instances that stopped answering",
            ),
            instances_stopped: counter(
                registry,
                "instances_stopped",
                "Times that an instance was stopped because it could not be wired",
            ),
            instances_over_disk: counter(
                registry,
                "instances_over_disk",
                "Instances that were removed because they wrote more than the limit of their disk",
            ),
            instances_expired: labelled(
                registry,
                "instances_expired",
                "Instances whose time ended before their client's lease, by cause",
            ),
            instance_checks: labelled(registry, "instance_checks", "Checks of ready instances, by outcome"),
            orphans_removed: counter(
                registry,
                "orphans_removed",
                "Removed containers and interfaces with our mark that belonged to no instance",
            ),
            provision_failures: labelled(
                registry,
                "provision_failures",
                "Failed attempts to bring up an instance, by code",
            ),
            removal_failures: labelled(
                registry,
                "removal_failures",
                "Failed attempts to remove an instance, by code",
            ),
            instance_waits: labelled(
                registry,
                "instance_waits",
                "Times that an instance had to wait because of a limit, by limit",
            ),
            instances_refused: labelled(
                registry,
                "instances_refused",
                "Times that an instance was refused because of a limit, by reason",
            ),
            instances_waiting: gauge(registry, "instances_waiting", "Instances that wait for a place"),
            engine_losses: counter(registry, "engine_losses", "Times that an engine stopped answering"),
            engine_hangs: counter(
                registry,
                "engine_hangs",
                "Health requests that an engine did not answer in time, one every few seconds while it hangs",
            ),
            time_to_ready,
        }
    }
}

impl Metrics {
    /// Records an instance that became ready, with the time since its provisioning began.
    pub fn instance_ready(&self, took: Duration) {
        self.instance.instances_ready.inc();
        self.instance.time_to_ready.observe(took.as_secs_f64());
    }

    /// Counts a removed instance.
    pub fn instance_removed(&self) {
        self.instance.instances_removed.inc();
    }

    /// Counts a ready instance that was found not to be as it should be.
    pub fn instance_disturbed(&self) {
        self.instance.instances_disturbed.inc();
    }

    /// Counts the restart of an instance that stopped answering.
    pub fn instance_restarted(&self) {
        self.instance.instances_restarted.inc();
    }

    /// Counts an instance that was stopped because it could not be wired.
    pub fn instance_stopped(&self) {
        self.instance.instances_stopped.inc();
    }

    /// Counts an instance that wrote more than the limit of its disk.
    pub fn instance_over_disk(&self) {
        self.instance.instances_over_disk.inc();
    }

    /// Counts a check of a ready instance.
    pub fn instance_checked(&self, outcome: &'static str) {
        count(&self.instance.instance_checks, "outcome", outcome);
    }

    /// Counts a removed thing that carried the daemon's mark but belonged to no instance.
    pub fn orphan_removed(&self) {
        self.instance.orphans_removed.inc();
    }

    /// Counts a failed try to start an instance.
    pub fn provision_failed(&self, code: &'static str) {
        count(&self.instance.provision_failures, "code", code);
    }

    /// Counts an instance whose time ended before its client's lease.
    pub fn instance_expired(&self, cause: &'static str) {
        count(&self.instance.instances_expired, "cause", cause);
    }

    /// Counts a failed try to remove an instance.
    pub fn removal_failed(&self, code: &'static str) {
        count(&self.instance.removal_failures, "code", code);
    }

    /// Counts an instance that has to wait because of a limit.
    pub fn instance_waits(&self, code: &'static str) {
        count(&self.instance.instance_waits, "limit", code);
    }

    /// Counts an instance that is refused because of a limit.
    pub fn instance_refused(&self, code: &'static str) {
        count(&self.instance.instances_refused, "reason", code);
    }

    /// So many instances wait for a place now.
    pub fn set_instances_waiting(&self, waiting: usize) {
        self.instance
            .instances_waiting
            .set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// Counts a request that an engine should answer at once but did not answer in time.
    pub fn engine_hung(&self) {
        self.instance.engine_hangs.inc();
    }

    /// Counts an engine that stopped answering.
    pub fn engine_lost(&self) {
        self.instance.engine_losses.inc();
    }
}
