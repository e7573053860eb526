//! The one fake of [`Control`] in these tests: it writes to the store as the daemon does, and touches no machine.
//!
//! It has the two stages of the daemon: one that is only starting refuses every call, one that is ready answers.

use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream;
use orchestrator::api::{
    ByteStream, Caller, Control, ControlError, EngineView, ImageControl, Reloaded, RunControl, ServiceControl,
    SettingsView,
};
use orchestrator::api_types::{AreaState, DaemonState, Doctor, ExaminedArea, Finding, Mended, Severity};
use orchestrator::model::{
    Client, ClientId, ClientKeys, Clock, Endpoints, GrantedTo, Instance, InstanceId, KeyChange, LeaseChange, LeaseVerb,
    LimitsView, Orphan, Pause, PauseScope, PolicySubject, PolicyTarget, PolicyView, Ports, RecordedReservation,
    RecordedVolume, Reservation, ReservationId, ReservationView, Share, Slot, SlotKey, TimeChange, Timestamp, Used,
    VolumeId, WaitingView,
};
use orchestrator::secrets::Tokens;
use orchestrator::settings::{Settings, plan_reload};
use orchestrator::source::dnsmasq::{DnsmasqEvent, Handed};
use orchestrator::source::listener::{NotReconfigured, Reconfiguring};
use orchestrator::store::Store;
use orchestrator::usage::VolumeUsage;
use orchestrator_catalog::Catalog;
use orchestrator_dhcp6::Reconfigure;
use tokio::sync::{Notify, Semaphore, watch};

use crate::daemon::LINK;
use crate::images::{FakeImages, Shelf};

/// A daemon, as far as the API asks it for something.
pub(crate) struct FakeControl(Option<Ready>);

/// What a daemon has once it is ready.
pub(crate) struct Ready {
    pub(crate) store: Store,
    pub(crate) catalog: Catalog,
    /// Its images, by engine and name.
    pub(crate) images: Shelf,
    /// A removal takes a permit of it: without one it waits.
    pub(crate) gate: Arc<Semaphore>,
    /// Notified when a removal comes to the gate.
    pub(crate) arrived: Arc<Notify>,
    /// The text of the settings that a reload reads.
    pub(crate) written: Arc<Mutex<String>>,
    /// The settings in force.
    pub(crate) running: Mutex<Settings>,
    /// What was asked of it, and by whom.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    /// Where its services are reached.
    pub(crate) endpoints: watch::Sender<Arc<Endpoints>>,
    pub(crate) tokens: Tokens,
    /// What is paused.
    pub(crate) paused: Mutex<Vec<Pause>>,
}

/// The one address that is in quarantine.
pub(crate) const QUARANTINED: Ipv6Addr = Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 0, 0x99);

/// The id of the one orphan that it has.
pub(crate) const ORPHAN: &str = "0ddba110ddba";

impl Ready {
    fn note(&self, by: &Caller, what: &str) {
        self.asked.lock().expect("the list").push(format!("{what} by {by}"));
    }
}

impl FakeControl {
    /// A daemon that is only starting.
    pub(crate) fn starting() -> Self {
        Self(None)
    }

    /// A daemon whose parts are there.
    pub(crate) fn ready(ready: Ready) -> Self {
        Self(Some(ready))
    }

    fn get(&self) -> Result<&Ready, ControlError> {
        self.0.as_ref().ok_or(ControlError::Starting)
    }
}

#[async_trait]
impl Control for FakeControl {
    async fn destroy(&self, by: &Caller, id: InstanceId, release: bool) -> Result<Instance, ControlError> {
        let daemon = self.get()?;
        daemon.note(by, "destroy");
        daemon.arrived.notify_one();
        daemon.gate.acquire().await.expect("the gate is never closed").forget();
        let at = Timestamp::wall();
        let instance = daemon
            .store
            .destroy_instance(id, at, Some("by request".to_owned()), Some(by.to_string()))
            .await?;
        if release {
            let client = instance.client().expect("a client");
            let holding = daemon.store.holding(client).await?.expect("its client");
            let release = |lease: orchestrator::model::Lease| LeaseChange {
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
                at,
                replayed: false,
            };
            daemon
                .store
                .record_leases(holding.active_leases.into_iter().map(release).collect())
                .await?;
        }
        Ok(instance)
    }

    fn now(&self) -> Timestamp {
        Timestamp::wall()
    }

    async fn change_times(&self, by: &Caller, id: InstanceId, change: TimeChange) -> Result<Instance, ControlError> {
        let store = &self.get()?.store;
        let changed = store.change_times(id, change, Timestamp::wall(), Some(by.to_string()));
        Ok(changed.await?)
    }

    async fn dnsmasq_event(&self, event: DnsmasqEvent) -> Result<(), ControlError> {
        let daemon = self.get()?;
        if event.interface != LINK {
            return Err(ControlError::Refused {
                reason: format!("{} is no link", event.interface),
            });
        }
        let change = event.into_change(Handed::Live, &Clock::start());
        daemon.store.record_leases(vec![change]).await?;
        Ok(())
    }

    async fn policy(
        &self,
        subject: PolicySubject,
        to: Option<(PolicyTarget, Option<Ports>)>,
    ) -> Result<PolicyView, ControlError> {
        self.get()?;
        Ok(crate::policy::view(subject, to))
    }

    fn limits(&self) -> Result<LimitsView, ControlError> {
        let daemon = self.get()?;
        Ok(LimitsView {
            hosts: Vec::new(),
            links: Vec::new(),
            templates: Vec::new(),
            waiting: Used {
                used: 3,
                limit: Some(4),
            },
            paused: daemon.paused.lock().unwrap().clone(),
        })
    }

    fn waiting(&self) -> Result<Vec<WaitingView>, ControlError> {
        self.get()?;
        let waiting = |place: u8| WaitingView {
            key: SlotKey::new(ClientId::from_bytes([place; 6]), Slot::new("default")),
            template: "default".to_owned(),
            share: Share {
                link: if place == 2 { "br9" } else { LINK }.to_owned(),
                ..Share::default()
            },
            since: Timestamp(1_800_000_000_000),
            place: place.into(),
            expected: Some(Duration::from_secs(place.into())),
            code: "memory",
            reason: "host local has promised all of its memory".to_owned(),
        };
        Ok((1..=3).map(waiting).collect())
    }

    async fn pause(&self, by: &Caller, scope: PauseScope) -> Result<LimitsView, ControlError> {
        let daemon = self.get()?;
        daemon.note(by, "pause");
        daemon.paused.lock().unwrap().push(Pause {
            scope,
            since: Timestamp(1_800_000_000_000),
            by: Some(by.to_string()),
        });
        self.limits()
    }

    async fn resume(&self, by: &Caller, scope: PauseScope) -> Result<LimitsView, ControlError> {
        let daemon = self.get()?;
        daemon.note(by, "resume");
        daemon.paused.lock().unwrap().retain(|pause| pause.scope != scope);
        self.limits()
    }

    async fn destroy_volume(&self, by: &Caller, id: VolumeId) -> Result<RecordedVolume, ControlError> {
        let daemon = self.get()?;
        daemon.note(by, "destroy a volume");
        let removed = daemon.store.destroy_volume(id, Some(by.to_string()), Timestamp::wall());
        Ok(removed.await?)
    }

    fn volume_usage(&self, id: VolumeId) -> Option<VolumeUsage> {
        self.get().ok()?;
        let is_measured = id.to_string() == crate::volumes::VOLUME;
        is_measured.then(|| VolumeUsage {
            bytes: 12 << 20,
            limit: None,
            obstacle: Some("only btrfs can limit a directory".to_owned()),
        })
    }

    async fn export_volume(&self, id: VolumeId) -> Result<ByteStream, ControlError> {
        self.get()?;
        let second = match id.to_string() == crate::volumes::BROKEN {
            true => Err("the disk is broken".into()),
            false => Ok("in two pieces".into()),
        };
        let pieces = [Ok(format!("archive of {id}, ").into()), second];
        Ok(Box::pin(stream::iter(pieces)))
    }

    async fn orphans(&self) -> Result<Vec<Orphan>, ControlError> {
        self.get()?;
        Ok(vec![Orphan {
            addresses: Default::default(),
            volumes: Default::default(),
            id: ORPHAN.parse().expect("an id"),
            plugin: "docker".to_owned(),
            reference: "c0ffee".to_owned(),
            running: true,
            slot: None,
            link: Some(LINK.to_owned()),
            duid: None,
            mark: None,
            address: None,
        }])
    }

    async fn remove_orphan(&self, by: &Caller, id: InstanceId) -> Result<Option<Orphan>, ControlError> {
        self.get()?.note(by, "remove-orphan");
        Ok(self.orphans().await?.into_iter().find(|orphan| orphan.id == id))
    }

    async fn reservations(&self) -> Result<Vec<ReservationView>, ControlError> {
        Ok(self.get()?.store.reservations().await?.into_iter().map(shown).collect())
    }

    async fn reserve(
        &self,
        by: &Caller,
        link: String,
        reservation: Reservation,
        authorized_keys: Vec<String>,
    ) -> Result<ReservationView, ControlError> {
        self.get()?.note(by, "reserve");
        let at = Timestamp(1_800_000_000_000);
        let store = &self.get()?.store;
        Ok(shown(
            store
                .add_reservation(&link, reservation, authorized_keys, None, at)
                .await?,
        ))
    }

    async fn unreserve(&self, by: &Caller, id: ReservationId) -> Result<ReservationView, ControlError> {
        self.get()?.note(by, "unreserve");
        Ok(shown(self.get()?.store.remove_reservation(id).await?))
    }

    async fn lift(&self, by: &Caller, address: Ipv6Addr) -> Result<bool, ControlError> {
        self.get()?.note(by, "lift a quarantine");
        Ok(address == QUARANTINED)
    }

    async fn keys(&self, client: ClientId) -> Result<ClientKeys, ControlError> {
        Ok(ClientKeys {
            own: self.get()?.store.authorized_keys(client).await?,
            reserved: Vec::new(),
        })
    }

    async fn change_keys(&self, by: &Caller, client: ClientId, change: KeyChange) -> Result<ClientKeys, ControlError> {
        let (at, by) = (Timestamp::wall(), Some(by.to_string()));
        self.get()?.store.change_authorized_keys(client, change, at, by).await?;
        self.keys(client).await
    }

    async fn reconfigure(
        &self,
        by: &Caller,
        client: &Client,
        what: Reconfigure,
    ) -> Result<Reconfiguring, ControlError> {
        self.get()?.note(by, "reconfigure");
        match what {
            Reconfigure::Renew => Ok(Reconfiguring {
                client: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1),
                relayed: client.link != LINK,
            }),
            Reconfigure::Rebind => Err(NotReconfigured::NotAccepted.into()),
            Reconfigure::InformationRequest => Err(NotReconfigured::TooMany.into()),
        }
    }

    fn images(&self) -> Result<Arc<dyn ImageControl>, ControlError> {
        let ready = self.get()?;
        let images = FakeImages(ready.images.clone(), ready.catalog.clone(), ready.store.clone());
        Ok(Arc::new(images))
    }

    fn tokens(&self) -> Result<Tokens, ControlError> {
        Ok(self.get()?.tokens.clone())
    }

    fn catalog(&self) -> Result<Catalog, ControlError> {
        Ok(self.get()?.catalog.clone())
    }

    fn services(&self) -> Result<Arc<dyn ServiceControl>, ControlError> {
        let ready = self.get()?;
        let (asked, endpoints) = (ready.asked.clone(), ready.endpoints.clone());
        Ok(Arc::new(crate::services::FakeServices { asked, endpoints }))
    }

    fn runs(&self) -> Result<Arc<dyn RunControl>, ControlError> {
        let asked = self.get()?.asked.clone();
        Ok(Arc::new(crate::running::FakeRuns(asked)))
    }

    async fn reload(&self, by: &Caller) -> Result<Reloaded, ControlError> {
        let daemon = self.get()?;
        daemon.note(by, "reload");
        let written = daemon.written.lock().expect("the settings").clone();
        let settings = orchestrator::settings::parse(&written, std::iter::empty())?;
        let mut running = daemon.running.lock().expect("the settings");
        let reload = plan_reload(&running, settings)?;
        *running = reload.settings;
        Ok(Reloaded {
            loaded: Timestamp(1_800_000_000_000),
            changes: reload.changes,
        })
    }

    fn engines(&self) -> Result<Vec<EngineView>, ControlError> {
        self.get()?;
        let engine = |name: &str, kind, capabilities: &[&'static str]| EngineView {
            name: name.to_owned(),
            host: "local".to_owned(),
            kind,
            capabilities: capabilities.to_vec(),
        };
        Ok(vec![
            engine("boxes", "exec", &[]),
            engine("docker", "docker", &["engine-namespace", "logs"]),
        ])
    }

    async fn diagnose(&self) -> Doctor {
        let daemon = match self.0 {
            Some(_) => DaemonState::Running,
            None => DaemonState::Starting,
        };
        Doctor {
            daemon,
            findings: vec![Finding {
                code: "forwarding-off".to_owned(),
                severity: Severity::Error,
                area: "forwarding".to_owned(),
                what: "this machine forwards no IPv6 packets".to_owned(),
                means: "clients cannot use the prefixes that are delegated to them".to_owned(),
                mend: "sysctl -w net.ipv6.conf.all.forwarding=1".to_owned(),
                fixable: true,
            }],
            areas: vec![ExaminedArea {
                area: "forwarding".to_owned(),
                state: AreaState::Wrong,
                seen: "net.ipv6.conf.all.forwarding=0".to_owned(),
            }],
            done: Vec::new(),
        }
    }

    async fn mend(&self, by: &Caller) -> Doctor {
        if let Some(daemon) = &self.0 {
            daemon.note(by, "mend");
        }
        let done = vec![Mended {
            what: "set net.ipv6.conf.all.forwarding=1".to_owned(),
            failed: None,
        }];
        Doctor {
            findings: Vec::new(),
            areas: Vec::new(),
            done,
            ..self.diagnose().await
        }
    }

    async fn settings(&self) -> Result<SettingsView, ControlError> {
        self.get()?;
        Ok(SettingsView {
            file: "/etc/orchestrator/settings.toml".to_owned(),
            loaded: Timestamp(1_800_000_000_000),
            last_reload: None,
            pending: Vec::new(),
            faults: Vec::new(),
        })
    }
}

fn shown(recorded: RecordedReservation) -> ReservationView {
    ReservationView {
        id: Some(recorded.id),
        link: recorded.link,
        reservation: recorded.reservation,
        authorized_keys: recorded.authorized_keys,
        created: Some(recorded.created),
        in_force: true,
    }
}
