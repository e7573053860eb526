//! The task that keeps the catalog: it follows the settings and what is recorded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_model::{Clock, EventKind, NewEvent};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::{Conditions, Owned};
use orchestrator_settings::Current;
use orchestrator_store::{Store, StoreError};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::catalog::{Catalog, View};
use super::declared::{Declared, write_recorded};

/// The condition under which it is shown that the catalog is behind.
const CONDITION: &str = "catalog";
/// Requests that may wait for the one that is under way.
const WAITING: usize = 64;
/// The wait between two tries while the database is unreachable.
const PAUSE: Duration = Duration::from_secs(1);

/// Asks for a refresh; answered with whether it came about.
pub(super) type Request = oneshot::Sender<bool>;

/// The sources of the catalog.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The settings in force.
    pub settings: Current,
    /// Where templates are recorded.
    pub store: Store,
    /// The daemon's clock.
    pub clock: Clock,
    /// Where it is shown what is missing.
    pub conditions: Conditions,
}

/// Keeps the catalog: one task does it, one refresh after the other.
#[derive(Debug)]
pub struct Keeper {
    parts: Parts,
    declared: watch::Sender<Arc<Declared>>,
    requests: mpsc::Receiver<Request>,
    /// Held while the catalog is behind.
    behind: Option<Owned>,
    /// Held for each thing that is missing.
    missing: BTreeMap<String, Owned>,
}

impl Keeper {
    /// Reads what is declared, however long the database takes to answer. The catalog is complete when it returns.
    ///
    /// # Errors
    ///
    /// When waiting cannot help, or `stop` came before.
    pub async fn open(parts: Parts, stop: &CancellationToken) -> Result<(Catalog, Self), StoreError> {
        let first = loop {
            match read(&parts, None).await {
                Ok(declared) => break Arc::new(declared),
                Err(fault) if fault.is_away() && !stop.is_cancelled() => {
                    tokio::select! {
                        () = stop.cancelled() => return Err(fault),
                        () = tokio::time::sleep(PAUSE) => {}
                    }
                }
                Err(fault) => return Err(fault),
            }
        };
        let (declared, view) = View::new(first.clone());
        let (asked, requests) = mpsc::channel(WAITING);
        let catalog = Catalog {
            view,
            requests: asked,
            store: parts.store.clone(),
            clock: parts.clock,
        };
        let mut keeper = Self {
            parts,
            declared,
            requests,
            behind: None,
            missing: BTreeMap::new(),
        };
        keeper.show_missing(&first).await;
        Ok((catalog, keeper))
    }

    /// Follows the settings and what is recorded until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut settings = self.parts.settings.clone();
        loop {
            let request = tokio::select! {
                () = stop.cancelled() => return,
                _ = settings.changed() => None,
                Some(request) = self.requests.recv() => Some(request),
                () = tokio::time::sleep(PAUSE), if self.behind.is_some() => None,
            };
            let refreshed = self.refresh().await;
            if let Some(request) = request {
                // The requester may have gone.
                let _ = request.send(refreshed);
            }
        }
    }

    /// Takes up what is declared now. Whether it could.
    async fn refresh(&mut self) -> bool {
        let before = self.declared.borrow().clone();
        match read(&self.parts, Some(&before)).await {
            Ok(declared) => {
                self.behind = None;
                let declared = Arc::new(declared);
                self.show_missing(&declared).await;
                self.declared.send_if_modified(|current| {
                    let is_news = *current != declared;
                    if is_news {
                        *current = declared;
                    }
                    is_news
                });
                true
            }
            Err(fault) => {
                let conditions = &self.parts.conditions;
                if self.behind.is_none() {
                    self.behind = Some(conditions.own(CONDITION));
                }
                let reason = format!(
                    "templates and networks are not what the settings say until they are recorded: {}",
                    with_causes(&fault)
                );
                conditions.set_wrong(CONDITION, reason);
                false
            }
        }
    }

    /// Shows what is missing: a condition for as long as it is, and an event when it begins to be.
    async fn show_missing(&mut self, declared: &Declared) {
        let missing = declared.missing();
        self.missing
            .retain(|name, _| missing.iter().any(|missing| missing.name == *name));
        for missing in missing {
            let conditions = &self.parts.conditions;
            let is_news = !self.missing.contains_key(&missing.name);
            if is_news {
                self.missing.insert(missing.name.clone(), conditions.own(&missing.name));
            }
            conditions.set_waiting(&missing.name, missing.reason.as_str());
            if is_news {
                self.note_missing(missing.reason).await;
            }
        }
    }

    async fn note_missing(&self, reason: String) {
        let event = NewEvent {
            detail: Some(reason),
            ..NewEvent::new(self.parts.clock.now(), EventKind::TemplateMissing)
        };
        if let Err(fault) = self.parts.store.append_event(event).await {
            tracing::warn!("could not record that a template is missing: {}", with_causes(&fault));
        }
    }
}

/// Reads the present declarations: the settings in force, whose templates are recorded first, and those of the API.
/// `before` are those that were read last.
async fn read(parts: &Parts, before: Option<&Declared>) -> Result<Declared, StoreError> {
    let settings = parts.settings.get();
    let written = settings.templates.iter();
    let written = written.map(|(name, template)| (name.clone(), write_recorded(template)));
    let recorded = parts
        .store
        .record_settings_templates(written.collect(), parts.clock.now())
        .await?;
    let of_services = parts.store.service_templates().await?;
    Ok(Declared::new(settings, recorded).with_services(of_services, before))
}
