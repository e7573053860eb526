//! What the API may ask of the daemon.

mod leases;
mod ready;

use std::net::Ipv6Addr;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use orchestrator_dhcp6::Reconfigure;
use tokio::sync::Mutex;

use super::access::Keyring;
use super::doctor::Doctor;
use super::reload::Desk;
use orchestrator_api::{
    ByteStream, Caller, Control, ControlError, EngineView, ImageControl, Reloaded, RunControl, ServiceControl,
    SettingsView,
};
use orchestrator_api_types::Doctor as DoctorReport;
use orchestrator_catalog::Catalog;
use orchestrator_host::{Capabilities, Capability};
use orchestrator_model::{
    Client, ClientId, ClientKeys, Clock, EventKind, Instance, InstanceId, KeyChange, LimitsView, NewEvent, Orphan,
    PauseScope, Phase, PolicySubject, PolicyTarget, PolicyView, Ports, RecordedVolume, Reservation, ReservationId,
    ReservationView, TimeChange, Timestamp, VolumeId, WaitingView,
};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::usage::VolumeUsage;
use orchestrator_secrets::Tokens;
use orchestrator_source::dnsmasq::{DnsmasqEvent, Handed, IntakeError};
use orchestrator_source::listener::{NotReconfigured, Reconfiguring};

pub(super) use self::ready::Ready;

/// Connects the API, which is there from the start, to the parts that come up later.
pub(super) struct Switchboard {
    desk: Desk,
    doctor: Doctor,
    /// One examination that changes something at a time.
    mending: Mutex<()>,
    ready: OnceLock<Ready>,
    keyring: Keyring,
}

impl Switchboard {
    pub(super) fn new(desk: Desk, doctor: Doctor, keyring: Keyring) -> Self {
        Self {
            desk,
            doctor,
            mending: Mutex::default(),
            ready: OnceLock::new(),
            keyring,
        }
    }

    pub(super) fn connect(&self, ready: Ready) {
        // Called once, when the parts are built.
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
        let instance = ready.orchestrator.destroy(id, Some(by.to_string())).await?;
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
            let requested = ready.event(by, EventKind::ReleaseRequested);
            ready
                .record(NewEvent {
                    link: Some(instance.link().to_owned()),
                    client: Some(client),
                    instance: Some(id),
                    ..requested
                })
                .await;
            ready.release(client).await?;
        }
        Ok(instance)
    }

    fn now(&self) -> Timestamp {
        self.ready
            .get()
            .map_or_else(|| Clock::start().now(), |ready| ready.clock.now())
    }

    async fn change_times(&self, by: &Caller, id: InstanceId, change: TimeChange) -> Result<Instance, ControlError> {
        tracing::info!(%by, instance = %id, change = change.word(), "asked to change the time of an instance");
        let orchestrator = &self.ready()?.orchestrator;
        Ok(orchestrator.change_times(id, change, Some(by.to_string())).await?)
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
        let ready = self.ready()?;
        let removed = ready.orchestrator.remove_orphan(id).await;
        let removed = removed.map_err(|fault| ControlError::Refused {
            reason: with_causes(&fault),
        })?;
        if let Some(orphan) = &removed {
            let event = ready.event(by, EventKind::OrphanRemoved);
            ready
                .record(NewEvent {
                    link: orphan.link.clone(),
                    instance: Some(id),
                    leased: orphan.address.map(Into::into),
                    ..event
                })
                .await;
        }
        Ok(removed)
    }

    async fn policy(
        &self,
        of: PolicySubject,
        to: Option<(PolicyTarget, Option<Ports>)>,
    ) -> Result<PolicyView, ControlError> {
        self.ready()?.policy.show(of, to).await
    }

    fn limits(&self) -> Result<LimitsView, ControlError> {
        Ok(self.ready()?.orchestrator.limits())
    }

    fn waiting(&self) -> Result<Vec<WaitingView>, ControlError> {
        Ok(self.ready()?.orchestrator.waiting())
    }

    async fn pause(&self, by: &Caller, scope: PauseScope) -> Result<LimitsView, ControlError> {
        let ready = self.ready()?;
        let declared = ready.catalog.current();
        let is_known = match &scope {
            PauseScope::All => true,
            PauseScope::Link(name) => declared.link(name).is_some(),
            PauseScope::Template(name) => declared.template(name).is_some(),
        };
        if !is_known {
            return Err(ControlError::Refused {
                reason: format!("there is no {scope}"),
            });
        }
        tracing::info!(%by, %scope, "asked to make nothing new");
        ready.orchestrator.pause(scope, Some(by.to_string())).await?;
        Ok(ready.orchestrator.limits())
    }

    async fn resume(&self, by: &Caller, scope: PauseScope) -> Result<LimitsView, ControlError> {
        let ready = self.ready()?;
        tracing::info!(%by, %scope, "asked to end a pause");
        ready.orchestrator.resume(scope, Some(by.to_string())).await?;
        Ok(ready.orchestrator.limits())
    }

    async fn destroy_volume(&self, by: &Caller, id: VolumeId) -> Result<RecordedVolume, ControlError> {
        self.ready()?.volumes.destroy(by, id).await
    }

    fn volume_usage(&self, id: VolumeId) -> Option<VolumeUsage> {
        self.ready().ok()?.volumes.usage(id)
    }

    async fn export_volume(&self, id: VolumeId) -> Result<ByteStream, ControlError> {
        self.ready()?.volumes.export(id).await
    }

    async fn reservations(&self) -> Result<Vec<ReservationView>, ControlError> {
        self.ready()?.reservations.list().await
    }

    async fn reserve(
        &self,
        by: &Caller,
        link: String,
        reservation: Reservation,
        authorized_keys: Vec<String>,
    ) -> Result<ReservationView, ControlError> {
        tracing::info!(%by, link, "asked to reserve");
        let ready = self.ready()?;
        let made = ready.reservations.add(&link, reservation, authorized_keys).await?;
        ready.record_reservation(by, EventKind::Reserved, &made).await;
        Ok(made)
    }

    async fn unreserve(&self, by: &Caller, id: ReservationId) -> Result<ReservationView, ControlError> {
        tracing::info!(%by, reservation = %id, "asked to remove a reservation");
        let ready = self.ready()?;
        let removed = ready.reservations.remove(id).await?;
        ready.record_reservation(by, EventKind::Unreserved, &removed).await;
        Ok(removed)
    }

    async fn lift(&self, by: &Caller, address: Ipv6Addr) -> Result<bool, ControlError> {
        tracing::info!(%by, %address, "asked to end a quarantine");
        let ready = self.ready()?;
        let Some(declined) = ready.store.declined(address).await? else {
            return Ok(false);
        };
        let (link, client) = (declined.link.clone(), declined.client);
        let lifted = ready.lift(declined, address).await?;
        if lifted {
            let event = ready.event(by, EventKind::LiftRequested);
            ready
                .record(NewEvent {
                    link: Some(link),
                    client: Some(client),
                    leased: Some(address.into()),
                    ..event
                })
                .await;
        }
        Ok(lifted)
    }

    async fn keys(&self, client: ClientId) -> Result<ClientKeys, ControlError> {
        Ok(self.ready()?.keys().of(client).await?)
    }

    async fn change_keys(&self, by: &Caller, client: ClientId, change: KeyChange) -> Result<ClientKeys, ControlError> {
        let ready = self.ready()?;
        tracing::info!(%by, %client, "asked to change the SSH keys of a client");
        let (at, by) = (ready.clock.now(), Some(by.to_string()));
        ready.store.change_authorized_keys(client, change, at, by).await?;
        Ok(ready.keys().of(client).await?)
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
        let begun = ready.commands.reconfigure(&client.link, &client.duid, what).await?;
        let event = ready.event(by, EventKind::ReconfigureRequested);
        ready
            .record(NewEvent {
                link: Some(client.link.clone()),
                client: Some(client.id),
                ..event
            })
            .await;
        Ok(begun)
    }

    fn tokens(&self) -> Result<Tokens, ControlError> {
        self.keyring.get()
    }

    fn catalog(&self) -> Result<Catalog, ControlError> {
        Ok(self.ready()?.catalog.clone())
    }

    fn images(&self) -> Result<Arc<dyn ImageControl>, ControlError> {
        Ok(self.ready()?.images.clone())
    }

    fn services(&self) -> Result<Arc<dyn ServiceControl>, ControlError> {
        Ok(self.ready()?.services.clone())
    }

    fn runs(&self) -> Result<Arc<dyn RunControl>, ControlError> {
        Ok(self.ready()?.running.clone())
    }

    async fn reload(&self, by: &Caller) -> Result<Reloaded, ControlError> {
        tracing::info!(%by, "asked to reload the settings");
        let outcome = self.desk.reload().await;
        // While the database is waited for there is no timeline yet: the log has it.
        if let Ok(ready) = self.ready() {
            let detail = match &outcome {
                Ok(reloaded) => format!("{} changes", reloaded.changes.len()),
                Err(fault) => format!("refused: {fault}"),
            };
            let event = ready.event(by, EventKind::SettingsReloaded);
            let detail = Some(detail);
            ready.record(NewEvent { detail, ..event }).await;
        }
        outcome
    }

    fn engines(&self) -> Result<Vec<EngineView>, ControlError> {
        let ready = self.ready()?;
        let settings = ready.settings.get();
        let shown = |(name, capabilities): (String, Capabilities)| {
            // An engine comes and goes with a restart only, so that the settings in force know all of them.
            let kind = settings.engines.get(&name)?.kind;
            Some(EngineView {
                host: ready.host.name().to_owned(),
                kind,
                capabilities: capabilities.iter().map(Capability::code).collect(),
                name,
            })
        };
        Ok(ready
            .host
            .capabilities()
            .engines
            .into_iter()
            .filter_map(shown)
            .collect())
    }

    async fn diagnose(&self) -> DoctorReport {
        self.doctor.examine(self.ready.get()).await.report(Vec::new())
    }

    async fn mend(&self, by: &Caller) -> DoctorReport {
        tracing::info!(%by, "asked to mend what can be mended safely");
        let _alone = self.mending.lock().await;
        let ready = self.ready.get();
        let found = self.doctor.examine(ready).await;
        let done = self.doctor.mend(&found, ready).await;
        match done.is_empty() {
            true => found.report(done),
            false => self.doctor.examine(ready).await.report(done),
        }
    }

    async fn settings(&self) -> Result<SettingsView, ControlError> {
        Ok(self.desk.view().await)
    }
}
