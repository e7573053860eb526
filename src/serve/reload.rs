//! Puts other settings in force while everything runs: at SIGHUP, and when the API is asked to.
//!
//! ```text
//!   SIGHUP ─┐                       wrong ──▶ reported, and nothing is changed
//!   API ────┴─▶ read ──▶ plan_reload ─┤
//!              (file, environment)    right ──▶ in force: everyone reads them at the next use
//! ```
//!
//! One task does it, one reload after the other. Nobody is stopped and no socket is closed for it: links, routes and
//! instances follow by themselves.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::expectations::Expectations;
use super::{Context, systemd};
use orchestrator_api::{ControlError, ReloadOutcome, Reloaded, SettingsView};
use orchestrator_catalog::Catalog;
use orchestrator_model::Timestamp;
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::Owned;
use orchestrator_settings::{
    Change, Current, Effect, Elsewhere, Fault, Faults, Place, Reload, SetLogLevel, Settings, plan_reload,
};

/// The condition under which it is shown whether what was read last is in force.
const CONDITION: &str = "settings";
/// Requests that may wait for the one that is under way.
const WAITING: usize = 16;

/// How long a reload waits for the catalog: a statement's time, and more.
const CATALOG_LIMIT: Duration = Duration::from_secs(5);

type Request = oneshot::Sender<Result<Reloaded, Faults>>;

/// Where a reload is asked for, and what became of the last one. A cheap handle.
#[derive(Clone)]
pub(super) struct Desk {
    place: Arc<Place>,
    current: Current,
    /// Known once the store is there.
    catalog: Arc<OnceLock<Catalog>>,
    requests: mpsc::Sender<Request>,
    record: Arc<Mutex<Record>>,
}

/// What is known of the settings in force.
#[derive(Clone)]
struct Record {
    loaded: Timestamp,
    last: Option<ReloadOutcome>,
}

/// Does what the desk is asked for.
pub(super) struct Reloader {
    desk: Desk,
    context: Context,
    sender: watch::Sender<Arc<Settings>>,
    set_log_level: SetLogLevel,
    expectations: Expectations,
    requests: mpsc::Receiver<Request>,
    /// Whether what was read last is in force is shown for as long as it can be read again.
    _condition: Owned,
}

/// What a reloader is made of.
pub(super) struct Parts {
    /// Where the settings are written.
    pub(super) place: Place,
    pub(super) context: Context,
    /// Where everyone reads the settings in force.
    pub(super) sender: watch::Sender<Arc<Settings>>,
    pub(super) set_log_level: SetLogLevel,
    /// What the settings in force ask for.
    pub(super) expectations: Expectations,
    /// What is declared, once the store is there.
    pub(super) catalog: Arc<OnceLock<Catalog>>,
}

impl Reloader {
    pub(super) fn new(parts: Parts) -> (Self, Desk) {
        let context = parts.context;
        let (asked, requests) = mpsc::channel(WAITING);
        let now = context.clock.now();
        context.metrics.settings_loaded(now);
        let condition = context.conditions.own(CONDITION);
        context.conditions.set_ok(CONDITION);
        let desk = Desk {
            place: Arc::new(parts.place),
            current: context.settings.clone(),
            catalog: parts.catalog,
            requests: asked,
            record: Arc::new(Mutex::new(Record {
                loaded: now,
                last: None,
            })),
        };
        let reloader = Self {
            desk: desk.clone(),
            context,
            sender: parts.sender,
            set_log_level: parts.set_log_level,
            expectations: parts.expectations,
            requests,
            _condition: condition,
        };
        (reloader, desk)
    }

    /// Reloads at each SIGHUP and each request, until `stop`.
    pub(super) async fn run(mut self, mut hangups: Signal, stop: CancellationToken) {
        loop {
            let request = tokio::select! {
                () = stop.cancelled() => return,
                Some(()) = hangups.recv() => None,
                Some(request) = self.requests.recv() => Some(request),
            };
            tracing::info!(file = %self.desk.place.path().display(), "reading the settings again");
            systemd::reloading();
            let outcome = self.reload().await;
            systemd::ready();
            if let Some(request) = request {
                // The requester may have gone.
                let _ = request.send(outcome);
            }
        }
    }

    async fn reload(&mut self) -> Result<Reloaded, Faults> {
        let at = self.context.clock.now();
        let planned = self.desk.plan().await;
        let outcome = planned.map(|reload| self.put_in_force(reload, at));
        if let (Ok(_), Some(catalog)) = (&outcome, self.desk.catalog.get()) {
            // Where the database is away, it comes later: a condition says so.
            let _ = timeout(CATALOG_LIMIT, catalog.refresh()).await;
        }
        match &outcome {
            Ok(_) => {
                self.context.metrics.settings_loaded(at);
                self.context.conditions.set_ok(CONDITION);
            }
            Err(faults) => self.tell_wrong(faults),
        }
        self.context.metrics.settings_reloaded(outcome.is_ok());
        self.desk.remember(at, &outcome);
        outcome
    }

    fn tell_wrong(&self, faults: &Faults) {
        for fault in faults.iter() {
            tracing::error!(%fault, "the settings are wrong");
        }
        tracing::error!("nothing was changed; the settings that were in force still are");
        let reason = format!("nothing was changed by the last reload: {faults}");
        self.context.conditions.set_wrong(CONDITION, reason);
    }

    fn put_in_force(&mut self, Reload { settings, changes }: Reload, at: Timestamp) -> Reloaded {
        changes.iter().for_each(tell);
        let settings = Arc::new(settings);
        self.expectations.add(&settings);
        self.sender.send_replace(settings.clone());
        self.expectations.retain(&settings);
        self.context.notifications.notify_prefixes();
        (self.set_log_level)(settings.log.level);
        tracing::info!(changes = changes.len(), "the settings are in force");
        Reloaded { loaded: at, changes }
    }
}

/// Logs a difference.
fn tell(change: &Change) {
    let (key, effect) = (&change.key, change.effect.word());
    match change.effect {
        Effect::NeedsRestart => tracing::warn!(key, "stays as it is until the daemon is restarted"),
        _ => tracing::info!(key, effect, "setting"),
    }
}

impl Desk {
    /// Reads the settings again and puts them in force; returns when they are.
    pub(super) async fn reload(&self) -> Result<Reloaded, ControlError> {
        let (request, outcome) = oneshot::channel();
        let asked = self.requests.try_send(request);
        asked.map_err(|_| ControlError::Refused {
            reason: "too many reloads wait already; try again".to_owned(),
        })?;
        Ok(outcome.await.map_err(|_| ControlError::Stopping)??)
    }

    /// The settings in force, and how what is written differs from them.
    pub(super) async fn view(&self) -> SettingsView {
        // Before they are compared: what the record says to be in force is so by then.
        let record = self.recorded().clone();
        let (pending, faults) = match self.plan().await {
            Ok(reload) => (reload.changes, Vec::new()),
            Err(faults) => (Vec::new(), faults.iter().map(ToString::to_string).collect()),
        };
        SettingsView {
            file: self.place.path().display().to_string(),
            loaded: record.loaded,
            last_reload: record.last,
            pending,
            faults,
        }
    }

    /// What a reload would do now.
    async fn plan(&self) -> Result<Reload, Faults> {
        let (place, running, elsewhere) = (self.place.clone(), self.current.get(), self.elsewhere());
        let read = tokio::task::spawn_blocking(move || plan_reload(&running, place.load(&elsewhere)?)).await;
        read.unwrap_or_else(|fault| Err(Faults::from(self.unread(&with_causes(&fault)))))
    }

    /// The templates that the settings may name and need not declare.
    fn elsewhere(&self) -> Elsewhere {
        match self.catalog.get() {
            Some(catalog) => {
                let declared = catalog.current();
                Elsewhere::Templates(declared.names_of_api().map(str::to_owned).collect())
            }
            None => Elsewhere::Unknown,
        }
    }

    fn unread(&self, reason: &str) -> Fault {
        Fault {
            key: self.place.path().display().to_string(),
            variable: None,
            what: format!("was not read to its end ({reason})"),
            remedy: "try again".to_owned(),
        }
    }

    fn recorded(&self) -> MutexGuard<'_, Record> {
        // Nothing that holds the lock can panic half-way through a change.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, at: Timestamp, outcome: &Result<Reloaded, Faults>) {
        let faults = outcome.as_ref().err();
        let mut record = self.recorded();
        if faults.is_none() {
            record.loaded = at;
        }
        record.last = Some(ReloadOutcome {
            at,
            ok: faults.is_none(),
            faults: faults
                .iter()
                .flat_map(|faults| faults.iter())
                .map(ToString::to_string)
                .collect(),
        });
    }
}
