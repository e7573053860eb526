//! Metrics of the balancers.

use prometheus_client::registry::Registry;

use super::{Labelled, Metrics, count, labelled};

#[derive(Clone)]
pub(super) struct Balancer {
    reloads: Labelled,
    steps: Labelled,
    failures: Labelled,
    certificates: Labelled,
}

impl Balancer {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            reloads: labelled(
                registry,
                "balancer_reloads",
                "How often a balancer read its files anew, by reason",
            ),
            steps: labelled(
                registry,
                "balancer_steps",
                "Changes of balancers while they run, by outcome; a server with connections cannot be removed yet",
            ),
            failures: labelled(
                registry,
                "balancer_failures",
                "How often a balancer could not be brought to what it is to do, by reason",
            ),
            certificates: labelled(
                registry,
                "acme_certificates",
                "Certificates of routes by ACME that were ordered and issued, and steps of orders that failed, by outcome",
            ),
        }
    }
}

impl Metrics {
    /// Counts that a balancer reads its files anew.
    pub fn balancer_reloaded(&self, reason: &'static str) {
        count(&self.balancer.reloads, "reason", reason);
    }

    /// Counts a change of a balancer while it runs.
    pub fn balancer_step(&self, is_done: bool) {
        let outcome = if is_done { "done" } else { "not-yet" };
        count(&self.balancer.steps, "outcome", outcome);
    }

    /// Counts that a balancer could not be brought to what it is to do.
    pub fn balancer_failed(&self, reason: &'static str) {
        count(&self.balancer.failures, "reason", reason);
    }

    /// Counts what becomes of a certificate by ACME: `ordered`, `issued` or `failed`.
    pub fn certificate_by_acme(&self, outcome: &'static str) {
        count(&self.balancer.certificates, "outcome", outcome);
    }
}
