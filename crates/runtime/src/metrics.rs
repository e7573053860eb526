//! The daemon's metrics, served by `GET /metrics` in the OpenMetrics text format.
//!
//! Everything that is refused, dropped or fails has a counter here, besides its line in the log.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::log_limit::LogLimit;
use orchestrator_model::Timestamp;

/// One label, whose name the family's constructor fixes.
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

/// The counters. A cheap handle: all clones count together.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    log_limit: LogLimit,
    dhcp6_messages: Labelled,
    dhcp6_discards: Labelled,
    dhcp6_refusals: Labelled,
    dhcp6_unsent: Counter,
    dhcp6_cloned_duids: Counter,
    dhcp6_reconfigures: Labelled,
    dhcp6_client_limits: Labelled,
    dhcp6_origins: Labelled,
    dhcp6_origins_lost: Counter,
    lease_events: Labelled,
    lease_events_refused: Labelled,
    link_repairs: Labelled,
    link_repair_failures: Counter,
    routes: Gauge,
    routes_restored: Counter,
    route_failures: Counter,
    commits_failed: Counter,
    store_failures: Labelled,
    secrets_failures: Labelled,
    advertisements: Labelled,
    advertisements_contradicted: Labelled,
    solicitations_refused: Labelled,
    neighbors: Labelled,
    spooled: Counter,
    spool_set_aside: Counter,
    instances_ready: Counter,
    instances_removed: Counter,
    instances_disturbed: Counter,
    instances_restarted: Counter,
    instances_stopped: Counter,
    instance_checks: Labelled,
    orphans_removed: Counter,
    provision_failures: Labelled,
    removal_failures: Labelled,
    engine_losses: Counter,
    engine_hangs: Counter,
    api_refusals: Labelled,
    api_connections_closed: Labelled,
    settings_reloads: Labelled,
    task_runs: Labelled,
    task_failures: Labelled,
    settings_loaded: Gauge,
    settings_reload_ok: Gauge,
    time_to_ready: Histogram,
}

/// Upper bounds of the time to ready, in seconds.
const TIME_TO_READY: [f64; 12] = [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0];

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("orchestrator");
        let mut labelled = |name: &str, help: &str| {
            let family = Labelled::default();
            registry.register(name, help, family.clone());
            family
        };
        let dhcp6_messages = labelled("dhcp6_messages", "DHCPv6 messages answered, by type");
        let dhcp6_discards = labelled("dhcp6_discards", "DHCPv6 messages that were discarded, by reason");
        let dhcp6_refusals = labelled("dhcp6_refusals", "Identity associations that got no lease, by status");
        let dhcp6_client_limits = labelled(
            "dhcp6_client_limits",
            "Times that a client was at its limit of leases, by outcome",
        );
        let dhcp6_reconfigures = labelled("dhcp6_reconfigures", "Reconfigure exchanges, by outcome");
        let dhcp6_origins = labelled(
            "dhcp6_origins",
            "DHCPv6 messages that changed a lease on a bridge, by whether the port was known that they came in by",
        );
        let lease_events = labelled("lease_events", "Lease events recorded, by outcome");
        let lease_events_refused = labelled("lease_events_refused", "Lease events not recorded, by reason");
        let link_repairs = labelled(
            "link_repairs",
            "Changes to a link's bridge that the daemon undid, by kind",
        );
        let advertisements = labelled("router_advertisements", "Router advertisements, by cause or failure");
        let advertisements_contradicted = labelled(
            "router_advertisements_contradicted",
            "Router advertisements of other routers that contradict ours, by field",
        );
        let solicitations_refused = labelled(
            "router_solicitations_refused",
            "Router solicitations not answered, by reason",
        );
        let neighbors = labelled("neighbors", "Hosts that were seen on a link, by outcome");
        let provision_failures = labelled("provision_failures", "Failed attempts to bring up an instance, by code");
        let instance_checks = labelled("instance_checks", "Checks of ready instances, by outcome");
        let removal_failures = labelled("removal_failures", "Failed attempts to remove an instance, by code");
        let store_failures = labelled("store_failures", "Failed checks of the database, by code");
        let secrets_failures = labelled(
            "secrets_failures",
            "Failed checks of the key file against the secrets in the database, by code",
        );
        let api_refusals = labelled("api_refusals", "API requests that were answered with an error, by code");
        let api_connections_closed = labelled(
            "api_connections_closed",
            "API connections that were closed to make room, by reason",
        );
        let settings_reloads = labelled("settings_reloads", "Reloads of the settings, by outcome");
        let task_runs = labelled(
            "task_runs",
            "Runs of the daemon's tasks that have ended, by kind of task",
        );
        let task_failures = labelled(
            "task_failures",
            "Runs of the daemon's tasks that failed, by kind of task",
        );
        let mut plain = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let dhcp6_origins_lost = plain(
            "dhcp6_origins_lost",
            "Times that the kernel dropped records of bridge ports because they were not read in time",
        );
        let dhcp6_unsent = plain("dhcp6_unsent", "DHCPv6 replies that the kernel did not accept");
        let dhcp6_cloned_duids = plain(
            "dhcp6_cloned_duids",
            "Times that a DUID was seen at two link-local addresses in turn, at most once an hour each",
        );
        let commits_failed = plain(
            "lease_commits_failed",
            "Batches of bindings that could not be committed",
        );
        let route_failures = plain(
            "route_failures",
            "Routes for delegated prefixes that the kernel refused",
        );
        let link_repair_failures = plain("link_repair_failures", "Failed repairs of a link's bridge");
        let routes_restored = plain(
            "routes_restored",
            "Routes that somebody removed and the daemon restored",
        );
        let spooled = plain("lease_events_spooled", "Lease events read back from the spool");
        let spool_set_aside = plain(
            "spool_set_aside",
            "Files in the spool of dnsmasq's events that could not be read as an event",
        );
        let instances_ready = plain("instances_ready", "Instances that became ready");
        let instances_removed = plain("instances_removed", "Instances that were removed");
        let instances_disturbed = plain("instances_disturbed", "Times that a ready instance was found degraded");
        let instances_restarted = plain("instances_restarted", "Restarts of instances that stopped answering");
        let instances_stopped = plain(
            "instances_stopped",
            "Times that an instance was stopped because it could not be wired",
        );
        let orphans_removed = plain(
            "orphans_removed",
            "Removed containers and interfaces with our mark that belonged to no instance",
        );
        let engine_losses = plain("engine_losses", "Times that an engine stopped answering");
        let engine_hangs = plain(
            "engine_hangs",
            "Health requests that an engine did not answer in time, one every few seconds while it hangs",
        );
        let routes = Gauge::default();
        registry.register("routes", "Routes to delegated prefixes in the kernel", routes.clone());
        let settings_loaded = Gauge::default();
        registry.register(
            "settings_loaded_timestamp_seconds",
            "When the settings in force were read",
            settings_loaded.clone(),
        );
        let settings_reload_ok = Gauge::default();
        settings_reload_ok.set(1);
        registry.register(
            "settings_last_reload_ok",
            "Whether the last reload was applied: 1 or 0",
            settings_reload_ok.clone(),
        );
        let time_to_ready = Histogram::new(TIME_TO_READY);
        registry.register(
            "instance_time_to_ready_seconds",
            "Seconds from the first step of an instance to its first answer",
            time_to_ready.clone(),
        );
        Self {
            registry: Arc::new(registry),
            log_limit: LogLimit::default(),
            dhcp6_messages,
            dhcp6_discards,
            dhcp6_refusals,
            dhcp6_unsent,
            dhcp6_cloned_duids,
            dhcp6_reconfigures,
            dhcp6_client_limits,
            dhcp6_origins,
            dhcp6_origins_lost,
            lease_events,
            lease_events_refused,
            link_repairs,
            link_repair_failures,
            routes,
            routes_restored,
            route_failures,
            commits_failed,
            store_failures,
            secrets_failures,
            advertisements,
            advertisements_contradicted,
            solicitations_refused,
            neighbors,
            spooled,
            spool_set_aside,
            instances_ready,
            instances_removed,
            instances_disturbed,
            instances_restarted,
            instances_stopped,
            instance_checks,
            orphans_removed,
            provision_failures,
            removal_failures,
            engine_losses,
            engine_hangs,
            api_refusals,
            api_connections_closed,
            settings_reloads,
            task_runs,
            task_failures,
            settings_loaded,
            settings_reload_ok,
            time_to_ready,
        }
    }
}

fn count(family: &Labelled, name: &'static str, value: &'static str) {
    family.get_or_create(&Label { name, value }).inc();
}

impl Metrics {
    /// All of it in the OpenMetrics text format.
    ///
    /// # Errors
    ///
    /// When the encoder fails.
    pub fn render(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// Bounds the log lines that strangers can cause; these lines stand beside counters.
    pub fn log_limit(&self) -> &LogLimit {
        &self.log_limit
    }

    /// A DHCPv6 message changed a lease, and the port that it came in by was known or not.
    pub fn origin(&self, outcome: &'static str) {
        count(&self.dhcp6_origins, "outcome", outcome);
    }

    /// The kernel dropped records of bridge ports.
    pub fn origins_lost(&self) {
        self.dhcp6_origins_lost.inc();
    }

    /// A DHCPv6 message of this type was answered.
    pub fn dhcp6_answered(&self, kind: &'static str) {
        count(&self.dhcp6_messages, "type", kind);
    }

    /// A DHCPv6 message was not answered.
    pub fn dhcp6_discarded(&self, reason: &'static str) {
        count(&self.dhcp6_discards, "reason", reason);
    }

    /// An identity association got no lease, with this status.
    pub fn dhcp6_refused(&self, status: &'static str) {
        count(&self.dhcp6_refusals, "status", status);
    }

    /// The kernel did not take a DHCPv6 reply.
    pub fn dhcp6_unsent(&self) {
        self.dhcp6_unsent.inc();
    }

    /// Two machines use one DUID.
    pub fn dhcp6_cloned_duid(&self) {
        self.dhcp6_cloned_duids.inc();
    }

    /// A client was at its limit of leases.
    pub fn dhcp6_client_limit(&self, outcome: &'static str) {
        count(&self.dhcp6_client_limits, "outcome", outcome);
    }

    /// A client was reconfigured: a Reconfigure was sent, answered, or not answered.
    pub fn dhcp6_reconfigure(&self, outcome: &'static str) {
        count(&self.dhcp6_reconfigures, "outcome", outcome);
    }

    /// A lease event was recorded.
    pub fn lease_event(&self, outcome: &'static str) {
        count(&self.lease_events, "outcome", outcome);
    }

    /// A lease event was not recorded.
    pub fn lease_event_refused(&self, reason: &'static str) {
        count(&self.lease_events_refused, "reason", reason);
    }

    /// So many routes to delegated prefixes are in the kernel.
    pub fn routes(&self, count: usize) {
        self.routes.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A change to a link's bridge was undone.
    pub fn link_repaired(&self, what: &'static str) {
        count(&self.link_repairs, "what", what);
    }

    /// A link's bridge could not be mended.
    pub fn link_repair_failed(&self) {
        self.link_repair_failures.inc();
    }

    /// So many routes that somebody removed were made again.
    pub fn routes_restored(&self, count: usize) {
        self.routes_restored.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// The kernel refused a route.
    pub fn route_failed(&self) {
        self.route_failures.inc();
    }

    /// Bindings could not be made durable; nothing was answered.
    pub fn commit_failed(&self) {
        self.commits_failed.inc();
    }

    /// A check of the database failed.
    pub fn store_failed(&self, code: &'static str) {
        count(&self.store_failures, "code", code);
    }

    /// The key file is missing, or does not open the secrets.
    pub fn secrets_failed(&self, code: &'static str) {
        count(&self.secrets_failures, "code", code);
    }

    /// A router advertisement was sent, or could not be.
    pub fn advertised(&self, cause: &'static str) {
        count(&self.advertisements, "cause", cause);
    }

    /// A router solicitation was not answered.
    pub fn solicitation_refused(&self, reason: &'static str) {
        count(&self.solicitations_refused, "reason", reason);
    }

    /// Another router's advertisement says something else than ours.
    pub fn advertisement_contradicted(&self, what: &'static str) {
        count(&self.advertisements_contradicted, "what", what);
    }

    /// A host was seen on a link.
    pub fn neighbor(&self, outcome: &'static str) {
        count(&self.neighbors, "outcome", outcome);
    }

    /// A lease event was read back from the spool.
    pub fn spooled(&self) {
        self.spooled.inc();
    }

    /// This many files in the spool could not be read as events.
    pub fn spool_set_aside(&self, count: u64) {
        self.spool_set_aside.inc_by(count);
    }

    /// An instance came to answer, so long after its provisioning began.
    pub fn instance_ready(&self, took: Duration) {
        self.instances_ready.inc();
        self.time_to_ready.observe(took.as_secs_f64());
    }

    /// An instance was removed.
    pub fn instance_removed(&self) {
        self.instances_removed.inc();
    }

    /// A ready instance is not as it should be.
    pub fn instance_disturbed(&self) {
        self.instances_disturbed.inc();
    }

    /// An instance that stopped answering is restarted.
    pub fn instance_restarted(&self) {
        self.instances_restarted.inc();
    }

    /// An instance that could not be wired is kept from running.
    pub fn instance_stopped(&self) {
        self.instances_stopped.inc();
    }

    /// A ready instance was checked.
    pub fn instance_checked(&self, outcome: &'static str) {
        count(&self.instance_checks, "outcome", outcome);
    }

    /// Something with our mark belonged to no instance and is removed.
    pub fn orphan_removed(&self) {
        self.orphans_removed.inc();
    }

    /// A try to bring up an instance failed.
    pub fn provision_failed(&self, code: &'static str) {
        count(&self.provision_failures, "code", code);
    }

    /// A try to remove an instance failed.
    pub fn removal_failed(&self, code: &'static str) {
        count(&self.removal_failures, "code", code);
    }

    /// An API request was answered with a problem.
    pub fn api_refused(&self, code: &'static str) {
        count(&self.api_refusals, "code", code);
    }

    /// A connection to the API was closed for want of room.
    pub fn api_connection_closed(&self, reason: &'static str) {
        count(&self.api_connections_closed, "reason", reason);
    }

    /// Settings were read at this time and came into force.
    pub fn settings_loaded(&self, at: Timestamp) {
        self.settings_loaded.set(at.0 / 1000);
    }

    /// Settings were read again, and came into force or not.
    pub fn settings_reloaded(&self, ok: bool) {
        count(
            &self.settings_reloads,
            "outcome",
            if ok { "applied" } else { "refused" },
        );
        self.settings_reload_ok.set(ok.into());
    }

    /// A run of a task of this kind has ended, well or not.
    pub fn task_ended(&self, task: &'static str, ok: bool) {
        count(&self.task_runs, "task", task);
        if !ok {
            count(&self.task_failures, "task", task);
        }
    }

    /// An engine did not answer a small question in time.
    pub fn engine_hung(&self) {
        self.engine_hangs.inc();
    }

    /// An engine stopped answering.
    pub fn engine_lost(&self) {
        self.engine_losses.inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_can_be_read() {
        let metrics = Metrics::default();
        metrics.dhcp6_discarded("no-client-id");
        metrics.dhcp6_discarded("no-client-id");
        metrics.instance_ready(Duration::from_millis(180));
        let text = metrics.render().unwrap();
        assert!(
            text.contains("orchestrator_dhcp6_discards_total{reason=\"no-client-id\"} 2"),
            "{text}"
        );
        assert!(
            text.contains("orchestrator_instance_time_to_ready_seconds_bucket{le=\"0.2\"} 1"),
            "{text}"
        );
    }
}
