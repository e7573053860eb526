//! What the API may ask of the daemon.

use std::sync::OnceLock;

use async_trait::async_trait;
use orchestrator_dhcp6::Reconfigure;
use tokio::sync::{mpsc, oneshot};

use super::links::Commands;
use super::reload::Desk;
use super::reservations::Reservations;
use orchestrator_api::{Caller, Control, ControlError, Reloaded, SettingsView};
use orchestrator_catalog::Catalog;
use orchestrator_model::{
    Client, ClientId, Clock, GrantedTo, Instance, InstanceId, LeaseChange, LeaseSource, LeaseVerb, Orphan, Phase,
    Reservation, ReservationId, ReservationView,
};
use orchestrator_reconcile::instance::Orchestrator;
use orchestrator_runtime::causes::with_causes;
use orchestrator_settings::Current;
use orchestrator_source::Recorder;
use orchestrator_source::dnsmasq::{DnsmasqEvent, Handed, Intake, IntakeError};
use orchestrator_source::listener::{Command, NotReconfigured, Reconfiguring};
use orchestrator_store::Store;

/// Connects the API, which is there from the start, to the parts that come up later.
pub(super) struct Switchboard {
    desk: Desk,
    ready: OnceLock<Ready>,
}

/// The parts, once they are there.
pub(super) struct Ready {
    pub(super) settings: Current,
    pub(super) clock: Clock,
    pub(super) store: Store,
    pub(super) orchestrator: Orchestrator,
    pub(super) recorder: Recorder,
    pub(super) intake: Intake,
    pub(super) commands: Commands,
    pub(super) reservations: Reservations,
    pub(super) catalog: Catalog,
}

impl Ready {
    /// Where the listener of a link takes commands; none where the settings want no listener.
    fn listener(&self, bridge: &str) -> Option<mpsc::Sender<Command>> {
        let settings = self.settings.get();
        let listens = settings.link(bridge)?.source == LeaseSource::Listener;
        self.commands.of(bridge).filter(|_| listens)
    }

    /// Frees what the client holds, through whoever owns its bindings.
    async fn release(&self, client: ClientId) -> Result<(), ControlError> {
        let Some(holding) = self.store.holding(client).await? else {
            return Ok(());
        };
        let mut leases = holding.active_leases;
        if let Some(commands) = self.listener(&holding.client.link) {
            let (done, told) = oneshot::channel();
            let command = Command::Release {
                duid: holding.client.duid,
                done,
            };
            if commands.try_send(command).is_ok()
                && let Ok(outcome) = told.await
            {
                outcome?;
                // Hosts that were seen are in no bindings.
                leases.retain(|lease| lease.source == LeaseSource::Neighbor);
            }
            // The listener is not up: nobody answers clients from its bindings, and it reads the store when it starts.
        }
        let changes = leases.into_iter().map(|lease| LeaseChange {
            verb: LeaseVerb::Release,
            link: lease.link,
            duid: lease.duid,
            iaid: lease.iaid,
            leased: lease.leased,
            next_hop: lease.next_hop,
            class: None,
            source: lease.source,
            preferred_until: lease.preferred_until,
            valid_until: lease.valid_until,
            link_layer: None,
            granted_to: GrantedTo::default(),
            hostname: None,
            at: self.clock.now(),
            replayed: false,
        });
        Ok(self.recorder.record(changes.collect()).await?)
    }
}

impl Switchboard {
    pub(super) fn new(desk: Desk) -> Self {
        let ready = OnceLock::new();
        Self { desk, ready }
    }

    pub(super) fn connect(&self, ready: Ready) {
        // Called once, by whoever built the parts.
        let _ = self.ready.set(ready);
    }

    fn ready(&self) -> Result<&Ready, ControlError> {
        self.ready.get().ok_or(ControlError::Starting)
    }
}

#[async_trait]
impl Control for Switchboard {
    async fn destroy(&self, by: &Caller, id: InstanceId, release: bool) -> Result<Instance, ControlError> {
        let ready = self.ready()?;
        tracing::info!(%by, instance = %id, release, "asked to remove an instance");
        let instance = ready.orchestrator.destroy(id).await?;
        if !release {
            return Ok(instance);
        }
        if instance.phase == Phase::Removed {
            let situation = ready.store.situation(&instance.key()).await?;
            return Err(ControlError::InstanceGone {
                present: situation.and_then(|s| s.instance).map(|present| present.id),
                gone: Box::new(instance),
            });
        }
        if let Some(client) = instance.client() {
            ready.release(client).await?;
        }
        Ok(instance)
    }

    async fn dnsmasq_event(&self, event: DnsmasqEvent) -> Result<(), ControlError> {
        match self.ready()?.intake.take(event, Handed::Live).await {
            Ok(()) => Ok(()),
            Err(IntakeError::Store(fault)) => Err(fault.into()),
            Err(refusal) => Err(ControlError::Refused {
                reason: refusal.to_string(),
            }),
        }
    }

    async fn orphans(&self) -> Result<Vec<Orphan>, ControlError> {
        Ok(self.ready()?.orchestrator.orphans())
    }

    async fn remove_orphan(&self, by: &Caller, id: InstanceId) -> Result<Option<Orphan>, ControlError> {
        tracing::info!(%by, instance = %id, "asked to remove an orphan");
        let removed = self.ready()?.orchestrator.remove_orphan(id).await;
        removed.map_err(|fault| ControlError::Refused {
            reason: with_causes(&fault),
        })
    }

    async fn reservations(&self) -> Result<Vec<ReservationView>, ControlError> {
        self.ready()?.reservations.list().await
    }

    async fn reserve(
        &self,
        by: &Caller,
        link: String,
        reservation: Reservation,
    ) -> Result<ReservationView, ControlError> {
        tracing::info!(%by, link, "asked to reserve");
        self.ready()?.reservations.add(&link, reservation).await
    }

    async fn unreserve(&self, by: &Caller, id: ReservationId) -> Result<ReservationView, ControlError> {
        tracing::info!(%by, reservation = %id, "asked to remove a reservation");
        self.ready()?.reservations.remove(id).await
    }

    async fn reconfigure(
        &self,
        by: &Caller,
        client: &Client,
        what: Reconfigure,
    ) -> Result<Reconfiguring, ControlError> {
        let ready = self.ready()?;
        tracing::info!(%by, client = %client.id, "asked to reconfigure a client");
        ready.listener(&client.link).ok_or(NotReconfigured::NotServed)?;
        Ok(ready.commands.reconfigure(&client.link, &client.duid, what).await?)
    }

    fn catalog(&self) -> Result<Catalog, ControlError> {
        Ok(self.ready()?.catalog.clone())
    }

    async fn reload(&self, by: &Caller) -> Result<Reloaded, ControlError> {
        tracing::info!(%by, "asked to reload the settings");
        self.desk.reload().await
    }

    async fn settings(&self) -> Result<SettingsView, ControlError> {
        Ok(self.desk.view().await)
    }
}
