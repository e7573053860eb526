//! The daemon that these tests start: the real API on real sockets, a store on SQLite, and a fake of the rest.

use std::io::ErrorKind;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orchestrator::api::{App, Inside, Limits, Server, ServerIdentity};
use orchestrator::conditions::Conditions;
use orchestrator::metrics::Metrics;
use orchestrator::model::{
    Attachment, ClientId, Clock, Container, ContainerSpec, Duid, Endpoints, EventKind, GrantedTo, HostId, Iaid, Id,
    Instance, InstanceId, LeaseChange, LeaseSource, LeaseVerb, MacAddress, NewEvent, Owner, Phase, Resources, Slot,
    Timestamp, ValueSource,
};
use orchestrator::secrets::{KeyFile, Room, Tokens};
use orchestrator::settings::{ApiSettings, ApiTls, Current, Listen, Settings};
use orchestrator::store::{NewInstance, Store};
use orchestrator::tasks::Tasks;
use orchestrator_catalog::{Catalog, Keeper};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::control::{FakeControl, Ready};
use crate::images::Shelf;

pub(crate) const LINK: &str = "br0";

/// The group whose members may use the API: one that every Debian machine has, and that no user is in.
pub(crate) const GROUP: &str = "games";

/// An API that is served on a unix socket and on loopback.
pub(crate) struct Daemon {
    pub(crate) store: Store,
    pub(crate) stores: watch::Sender<Option<Store>>,
    catalog: Catalog,
    settings: watch::Sender<Arc<Settings>>,
    pub(crate) conditions: Conditions,
    pub(crate) tasks: Tasks,
    /// A removal takes a permit of it: without one it waits.
    pub(crate) gate: Arc<Semaphore>,
    /// Told when a removal comes to the gate.
    pub(crate) arrived: Arc<Notify>,
    /// The text of the settings that a reload reads.
    pub(crate) written: Arc<Mutex<String>>,
    /// The same API, without a socket.
    pub(crate) inside: Inside,
    /// What was asked of the daemon, and by whom.
    asked: Arc<Mutex<Vec<String>>>,
    /// Where its services are reached.
    pub(crate) endpoints: watch::Sender<Arc<Endpoints>>,
    pub(crate) unix: Listen,
    pub(crate) tcp: Listen,
    pub(crate) tls: Listen,
    pub(crate) tokens: Tokens,
    pub(crate) room: Room,
    /// The certificate of the API, none at first.
    pub(crate) identity: ServerIdentity,
    stop: CancellationToken,
    served: Option<JoinHandle<()>>,
    // Last, so that it is removed when all else is dropped.
    _directory: Directory,
}

impl Daemon {
    pub(crate) async fn start() -> Self {
        Self::with_limits(Limits::default()).await
    }

    pub(crate) async fn with_limits(limits: Limits) -> Self {
        let directory = Directory::new();
        let store = Store::open(&format!("sqlite://{}/x.db", directory.path().display()))
            .await
            .expect("the store opens");
        let (stores, store_seen) = watch::channel(Some(store.clone()));
        let (conditions, tasks) = (Conditions::default(), Tasks::default());
        let gate = Arc::new(Semaphore::new(1000));
        let arrived = Arc::new(Notify::new());
        let written = Arc::new(Mutex::new(String::new()));
        let stop = CancellationToken::new();
        let (settings_sender, current) = Current::new(Arc::new(no_settings()));
        let parts = orchestrator_catalog::Parts {
            settings: current,
            store: store.clone(),
            clock: Clock::start(),
            conditions: conditions.clone(),
        };
        let (catalog, keeper) = Keeper::open(parts, &stop).await.expect("a catalog");
        tokio::spawn(keeper.run(stop.clone()));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let endpoints = watch::Sender::new(crate::services::endpoints(7));
        let images = Shelf::default();
        let room = Room::open(
            store.sealed(),
            KeyFile::at(&directory.path().join("x.key")),
            Timestamp::wall(),
        );
        let room = room.await.expect("a room for secrets");
        // It began a minute ago, so that what is signed now was signed after that.
        let began = Timestamp(Timestamp::wall().0 - 60_000);
        let tokens = Tokens::open_at(store.clone(), room.clone(), began)
            .await
            .expect("tokens");
        let identity = ServerIdentity::default();
        let control = FakeControl::ready(Ready {
            tokens: tokens.clone(),
            asked: asked.clone(),
            endpoints: endpoints.clone(),
            paused: Mutex::default(),
            images: images.clone(),
            store: store.clone(),
            catalog: catalog.clone(),
            gate: gate.clone(),
            arrived: arrived.clone(),
            written: written.clone(),
            running: Mutex::new(no_settings()),
        });
        let app = App {
            store: store_seen,
            conditions: conditions.clone(),
            control: Arc::new(control),
            metrics: Metrics::default(),
            tasks: tasks.clone(),
            identity: identity.clone(),
        };
        let inside = Inside::new(app.clone());
        let listen = [
            Listen::Unix(directory.path().join("api.sock")),
            Listen::Tcp(SocketAddr::from((Ipv6Addr::LOCALHOST, 0))),
            Listen::Tls(SocketAddr::from((Ipv6Addr::LOCALHOST, 0))),
        ];
        let settings = ApiSettings {
            listen: listen.into(),
            group: GROUP.to_owned(),
            tls: ApiTls::default(),
        };
        let server = Server::with_limits(&settings, app, limits)
            .await
            .expect("the API listens");
        let [unix, tcp, tls] = server.places().expect("places").try_into().expect("three places");
        let served = Some(tokio::spawn(server.run(stop.clone())));
        Self {
            store,
            stores,
            catalog,
            settings: settings_sender,
            conditions,
            tasks,
            gate,
            arrived,
            written,
            inside,
            asked,
            endpoints,
            unix,
            tcp,
            tls,
            tokens,
            room,
            identity,
            stop,
            served,
            _directory: directory,
        }
    }

    /// Puts settings in force in the catalog.
    pub(crate) async fn declare(&self, text: &str) {
        let settings = orchestrator::settings::parse(text, std::iter::empty()).expect("settings");
        self.settings.send_replace(Arc::new(settings));
        assert!(self.catalog.refresh().await);
    }

    /// What was asked of the daemon until now, and by whom.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("the list").clone()
    }

    /// Tells it to stop.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until it has.
    pub(crate) async fn stopped(&mut self) {
        self.stop();
        if let Some(served) = self.served.take() {
            tokio::time::timeout(crate::http::PATIENCE, served)
                .await
                .expect("the API stops")
                .expect("without a panic");
        }
    }

    /// A client with a lease at address `n`.
    pub(crate) async fn client(&self, n: u16) -> ClientId {
        let recorded = self
            .store
            .record_leases(vec![hold(n)])
            .await
            .expect("the lease is recorded");
        recorded[0].client.expect("a client")
    }

    /// This many clients with a lease each.
    pub(crate) async fn clients(&self, count: u16) {
        self.store
            .record_leases((0..count).map(hold).collect())
            .await
            .expect("the leases are recorded");
    }

    /// An instance for client `n` that is to be recorded.
    pub(crate) async fn new_instance(&self, n: u16) -> NewInstance {
        new_instance(Id::random().expect("an id"), self.client(n).await, n)
    }

    /// A client with a lease and an instance of this id.
    pub(crate) async fn instance(&self, n: u16, id: [u8; 6]) -> Instance {
        let client = self.client(n).await;
        let id = Id::from_bytes(id);
        let link = Some(LINK.to_owned());
        let at = Timestamp(1_800_000_000_000);
        let event = NewEvent {
            link,
            client: Some(client),
            instance: Some(id),
            ..NewEvent::new(at, EventKind::InstanceWanted)
        };
        self.store
            .plan_instance(new_instance(id, client, n), event)
            .await
            .expect("the instance is recorded")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop();
    }
}

fn no_settings() -> Settings {
    orchestrator::settings::parse("", std::iter::empty()).expect("settings")
}

/// A directory of a test's own, gone with it.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "orchestrator-api-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a directory");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A connection that is just being closed may still make a file behind the removal's back.
        for _ in 0..100 {
            match std::fs::remove_dir_all(&self.0) {
                Err(error) if error.kind() != ErrorKind::NotFound => std::thread::sleep(Duration::from_millis(10)),
                _ => return,
            }
        }
    }
}

fn hold(n: u16) -> LeaseChange {
    let [high, low] = n.to_be_bytes();
    LeaseChange {
        verb: LeaseVerb::Hold,
        link: LINK.to_owned(),
        duid: Duid::new([0, 3, 0, 1, 2, 0, 0x5e, 0x10, high, low]).expect("a DUID"),
        iaid: Iaid(7),
        leased: Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 1, n).into(),
        next_hop: None,
        class: None,
        source: LeaseSource::Listener,
        preferred_until: Timestamp(1_900_000_000_000),
        valid_until: Timestamp(1_900_000_000_000),
        link_layer: None,
        granted_to: GrantedTo::default(),
        hostname: Some(format!("client-{n}")),
        at: Timestamp(1_800_000_000_000 + i64::from(n)),
        replayed: false,
    }
}

/// A value of every instance's environment.
pub(crate) const SECRET: &str = "hunter2-is-no-good-token";

fn container(instance: Id) -> Container {
    Container {
        instance,
        name: Container::MAIN.to_owned(),
        engine: "docker".to_owned(),
        image: "orchestrator/client".to_owned(),
        reference: None,
    }
}

/// An attachment of an instance on [`LINK`].
fn attachment(instance: Id, address: Ipv6Addr) -> Attachment {
    Attachment {
        id: Id::random().expect("an id"),
        instance,
        container: Container::MAIN.to_owned(),
        network: LINK.to_owned(),
        bridge: LINK.to_owned(),
        interface: "eth1".to_owned(),
        address: Some(address),
        prefix_length: 64,
        gateway: Some("fd39::1".parse().expect("an address")),
        isolated: true,
        mac: MacAddress::of(address),
        routed: Vec::new(),
    }
}

fn new_instance(id: InstanceId, client: ClientId, n: u16) -> NewInstance {
    NewInstance {
        id,
        owner: Owner::Client(client),
        slot: Slot::new("default"),
        host: Some(HostId::local()),
        template: "default".to_owned(),
        version: 0,
        phase: Phase::Pending,
        spec: ContainerSpec {
            image: "orchestrator/client".to_owned(),
            hostname: "client".to_owned(),
            command: Vec::new(),
            environment: [("TOKEN".to_owned(), SECRET.to_owned())].into(),
            environment_from: [("KEY".to_owned(), ValueSource::Credential("key".to_owned()))].into(),
            capabilities: Vec::new(),
            resources: Resources::default(),
            labels: Default::default(),
            ..ContainerSpec::default()
        }
        .into(),
        containers: vec![container(id)],
        volumes: Vec::new(),
        attachments: vec![attachment(id, Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 2, n))],
        share: Default::default(),
        until: Some(Timestamp(4_000_000_000_000)),
        idle: None,
        at: Timestamp(1_800_000_000_000 + i64::from(n)),
    }
}

impl Daemon {
    /// What gave client `n` its lease.
    pub(crate) fn lease_change(&self, n: u16) -> LeaseChange {
        hold(n)
    }
}
