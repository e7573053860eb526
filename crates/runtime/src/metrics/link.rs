//! Metrics of links: bridges, routes and router advertisements.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Labelled, Metrics, count, counter, gauge, labelled};

#[derive(Clone)]
pub(super) struct Link {
    link_repairs: Labelled,
    link_repair_failures: Counter,
    routes: Gauge,
    routes_restored: Counter,
    route_failures: Counter,
    advertisements: Labelled,
    advertisements_contradicted: Labelled,
    solicitations_refused: Labelled,
}

impl Link {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            link_repairs: labelled(
                registry,
                "link_repairs",
                "Changes to a link's bridge that the daemon undid, by kind",
            ),
            link_repair_failures: counter(registry, "link_repair_failures", "Failed repairs of a link's bridge"),
            routes: gauge(registry, "routes", "Routes to delegated prefixes in the kernel"),
            routes_restored: counter(
                registry,
                "routes_restored",
                "Routes that somebody removed and the daemon restored",
            ),
            route_failures: counter(
                registry,
                "route_failures",
                "Routes for delegated prefixes that the kernel refused",
            ),
            advertisements: labelled(
                registry,
                "router_advertisements",
                "Router advertisements, by cause or failure",
            ),
            advertisements_contradicted: labelled(
                registry,
                "router_advertisements_contradicted",
                "Router advertisements of other routers that contradict ours, by field",
            ),
            solicitations_refused: labelled(
                registry,
                "router_solicitations_refused",
                "Router solicitations not answered, by reason",
            ),
        }
    }
}

impl Metrics {
    /// Sets the number of the kernel's routes to delegated prefixes.
    pub fn routes(&self, count: usize) {
        self.link.routes.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Counts a repaired change of a link's bridge.
    pub fn link_repaired(&self, what: &'static str) {
        count(&self.link.link_repairs, "what", what);
    }

    /// Counts a failed repair of a link's bridge.
    pub fn link_repair_failed(&self) {
        self.link.link_repair_failures.inc();
    }

    /// Counts routes that somebody removed and the daemon added again.
    pub fn routes_restored(&self, count: usize) {
        self.link
            .routes_restored
            .inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// Counts a route that the kernel refused.
    pub fn route_failed(&self) {
        self.link.route_failures.inc();
    }

    /// Counts a router advertisement that was sent or failed, by its cause.
    pub fn advertised(&self, cause: &'static str) {
        count(&self.link.advertisements, "cause", cause);
    }

    /// Counts a router solicitation that was not answered.
    pub fn solicitation_refused(&self, reason: &'static str) {
        count(&self.link.solicitations_refused, "reason", reason);
    }

    /// Counts another router's advertisement that contradicts the daemon's.
    pub fn advertisement_contradicted(&self, what: &'static str) {
        count(&self.link.advertisements_contradicted, "what", what);
    }
}
