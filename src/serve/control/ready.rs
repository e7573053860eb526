//! The parts of the daemon that answer the API.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::serve::client_keys::KeysOfClients;
use crate::serve::images::Images;
use crate::serve::links::Commands;
use crate::serve::policy::PolicyDesk;
use crate::serve::reservations::Reservations;
use crate::serve::running::Running;
use crate::serve::services::Services;
use crate::serve::volumes::Volumes;
use orchestrator_api::Caller;
use orchestrator_catalog::Catalog;
use orchestrator_host::Host;
use orchestrator_model::{Clock, EventKind, LeaseSource, NewEvent, Reservation, ReservationView};
use orchestrator_reconcile::instance::Orchestrator;
use orchestrator_runtime::causes::with_causes;
use orchestrator_settings::Current;
use orchestrator_source::Recorder;
use orchestrator_source::dnsmasq::Intake;
use orchestrator_source::listener::Command;
use orchestrator_store::Store;

/// The parts, once they are there.
pub(in crate::serve) struct Ready {
    pub(in crate::serve) settings: Current,
    pub(in crate::serve) host: Arc<dyn Host>,
    pub(in crate::serve) clock: Clock,
    pub(in crate::serve) store: Store,
    pub(in crate::serve) orchestrator: Orchestrator,
    pub(in crate::serve) recorder: Recorder,
    pub(in crate::serve) intake: Intake,
    pub(in crate::serve) commands: Commands,
    pub(in crate::serve) reservations: Reservations,
    pub(in crate::serve) catalog: Catalog,
    pub(in crate::serve) volumes: Volumes,
    pub(in crate::serve) images: Arc<Images>,
    pub(in crate::serve) policy: PolicyDesk,
    pub(in crate::serve) running: Arc<Running>,
    pub(in crate::serve) services: Arc<Services>,
}

impl Ready {
    /// Where the listener of a link takes commands; none where the settings want no listener.
    pub(super) fn listener(&self, bridge: &str) -> Option<mpsc::Sender<Command>> {
        let settings = self.settings.get();
        let listens = settings.link(bridge)?.source == LeaseSource::Listener;
        self.commands.of(bridge).filter(|_| listens)
    }

    /// What somebody asked for, as the timeline has it.
    pub(super) fn event(&self, by: &Caller, kind: EventKind) -> NewEvent {
        NewEvent {
            by: Some(by.to_string()),
            ..NewEvent::new(self.clock.now(), kind)
        }
    }

    /// Records what somebody asked for. What was done is done: that it cannot be recorded is logged, and fails nothing.
    pub(super) async fn record(&self, event: NewEvent) {
        let kind = event.kind;
        if let Err(fault) = self.store.append_event(event).await {
            let error = with_causes(&fault);
            tracing::warn!(%kind, error, "what was asked for is not in the timeline");
        }
    }

    /// Where the SSH keys of clients are read.
    pub(super) fn keys(&self) -> KeysOfClients {
        KeysOfClients {
            store: self.store.clone(),
            settings: self.settings.clone(),
        }
    }

    pub(super) async fn record_reservation(&self, by: &Caller, kind: EventKind, of: &ReservationView) {
        let Reservation {
            holder,
            address,
            prefix,
        } = &of.reservation;
        // A reservation of both is one event: the prefix is in its detail.
        let leased = address.map(Into::into).or(prefix.map(Into::into));
        let and = match (address, prefix) {
            (Some(_), Some(prefix)) => format!(", and {prefix}"),
            _ => String::new(),
        };
        self.record(NewEvent {
            link: Some(of.link.clone()),
            leased,
            detail: Some(format!("for {holder}{and}")),
            ..self.event(by, kind)
        })
        .await;
    }
}
