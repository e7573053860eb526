//! Metrics of the daemon itself: its database, secrets, API, settings and tasks.

use orchestrator_model::Timestamp;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Labelled, Metrics, count, gauge, labelled};

#[derive(Clone)]
pub(super) struct Daemon {
    store_failures: Labelled,
    secrets_failures: Labelled,
    api_refusals: Labelled,
    api_connections_closed: Labelled,
    settings_reloads: Labelled,
    settings_loaded: Gauge,
    settings_reload_ok: Gauge,
    task_runs: Labelled,
    task_failures: Labelled,
}

impl Daemon {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let settings_reload_ok = gauge(
            registry,
            "settings_last_reload_ok",
            "Whether the last reload was applied: 1 or 0",
        );
        settings_reload_ok.set(1);
        Self {
            store_failures: labelled(registry, "store_failures", "Failed checks of the database, by code"),
            secrets_failures: labelled(
                registry,
                "secrets_failures",
                "Failed checks of the key file against the secrets in the database, by code",
            ),
            api_refusals: labelled(
                registry,
                "api_refusals",
                "API requests that were answered with an error, by code",
            ),
            api_connections_closed: labelled(
                registry,
                "api_connections_closed",
                "API connections that were closed to make room, by reason",
            ),
            settings_reloads: labelled(registry, "settings_reloads", "Reloads of the settings, by outcome"),
            settings_loaded: gauge(
                registry,
                "settings_loaded_timestamp_seconds",
                "When the settings in force were read",
            ),
            settings_reload_ok,
            task_runs: labelled(
                registry,
                "task_runs",
                "Runs of the daemon's tasks that have ended, by kind of task",
            ),
            task_failures: labelled(
                registry,
                "task_failures",
                "Runs of the daemon's tasks that failed, by kind of task",
            ),
        }
    }
}

impl Metrics {
    /// Counts a failed check of the database.
    pub fn store_failed(&self, code: &'static str) {
        count(&self.daemon.store_failures, "code", code);
    }

    /// Counts a failed check of secrets: the key file is missing, or does not open them.
    pub fn secrets_failed(&self, code: &'static str) {
        count(&self.daemon.secrets_failures, "code", code);
    }

    /// Counts an API request that was answered with a problem.
    pub fn api_refused(&self, code: &'static str) {
        count(&self.daemon.api_refusals, "code", code);
    }

    /// Counts a connection to the API that was closed to make room for another.
    pub fn api_connection_closed(&self, reason: &'static str) {
        count(&self.daemon.api_connections_closed, "reason", reason);
    }

    /// Records when the settings in force were read.
    pub fn settings_loaded(&self, at: Timestamp) {
        self.daemon.settings_loaded.set(at.0 / 1000);
    }

    /// Counts a reload, and whether its settings came into force.
    pub fn settings_reloaded(&self, ok: bool) {
        count(
            &self.daemon.settings_reloads,
            "outcome",
            if ok { "applied" } else { "refused" },
        );
        self.daemon.settings_reload_ok.set(ok.into());
    }

    /// Counts a run of a task of this kind, and whether it succeeded.
    pub fn task_ended(&self, task: &'static str, ok: bool) {
        count(&self.daemon.task_runs, "task", task);
        if !ok {
            count(&self.daemon.task_failures, "task", task);
        }
    }
}
