//! Where a case has its database, and what it writes there.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use orchestrator::model::{
    Attachment, ClientId, Container, ContainerSpec, Duid, Event, EventKind, File, FileContent, GrantedTo, HostId, Iaid,
    Id, Instance, LeaseChange, LeaseSource, LeaseVerb, MacAddress, NewEvent, Owner, Phase, Resolver, Resources,
    Sidecar, Slot, SlotKey, Timestamp, ValueSource,
};
use orchestrator::store::{InstanceUpdate, NewInstance, Store, StoreError};
use orchestrator_lab::Postgres;
use sqlx::{AssertSqlSafe, Connection, Executor};

/// An empty database of a case's own.
pub(crate) struct Place {
    /// Its URL.
    pub(crate) url: String,
    directory: Option<PathBuf>,
}

impl Place {
    /// A file in a directory that goes with the place.
    pub(crate) fn sqlite() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "orchestrator-store-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let directory = std::env::temp_dir().join(name);
        Self {
            url: format!("sqlite://{}/state/orchestrator.db", directory.display()),
            directory: Some(directory),
        }
    }

    /// A database of the server that all cases share.
    pub(crate) fn postgres() -> Self {
        Self {
            url: Postgres::shared().database().expect("a database"),
            directory: None,
        }
    }

    /// The store on it.
    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.url).await.expect("the store opens")
    }

    /// Others on the links, as they are read without a store.
    pub(crate) async fn look_for_others(&self, now: Timestamp) -> Result<Vec<Event>, StoreError> {
        Store::look_for_others(&self.url, now).await
    }

    /// Runs SQL past the store.
    pub(crate) async fn sql(&self, sql: &str) {
        let sql = AssertSqlSafe(sql);
        if self.url.starts_with("sqlite") {
            let mut connection = sqlx::SqliteConnection::connect(&self.url).await.expect("a connection");
            connection.execute(sql).await.expect("the statement runs");
            connection.close().await.expect("the connection closes");
        } else {
            let mut connection = sqlx::PgConnection::connect(&self.url).await.expect("a connection");
            connection.execute(sql).await.expect("the statement runs");
            connection.close().await.expect("the connection closes");
        }
    }
}

impl Place {
    /// Every column of every table of ours.
    pub(crate) async fn columns(&self) -> Vec<(String, String)> {
        if self.url.starts_with("sqlite") {
            let mut connection = sqlx::SqliteConnection::connect(&self.url).await.expect("a connection");
            let sql = "select m.name, c.name from sqlite_master m join pragma_table_info(m.name) c \
                       where m.type = 'table' and m.name not like 'sqlite%' and m.name <> '_sqlx_migrations'";
            let columns = sqlx::query_as(sql).fetch_all(&mut connection).await.expect("columns");
            connection.close().await.expect("the connection closes");
            columns
        } else {
            let mut connection = sqlx::PgConnection::connect(&self.url).await.expect("a connection");
            let sql = "select table_name::text, column_name::text from information_schema.columns \
                       where table_schema = current_schema() and table_name <> '_sqlx_migrations'";
            let columns = sqlx::query_as(sql).fetch_all(&mut connection).await.expect("columns");
            connection.close().await.expect("the connection closes");
            columns
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(directory) = &self.directory else { return };
        // A connection that is just being closed may still make a file behind the removal's back. A directory that
        // is not there was never made.
        for _ in 0..100 {
            match fs::remove_dir_all(directory) {
                Err(error) if error.kind() != ErrorKind::NotFound => std::thread::sleep(Duration::from_millis(10)),
                _ => return,
            }
        }
    }
}

pub(crate) const LINK: &str = "br0";

/// A DUID that ends in `n`.
pub(crate) fn duid(n: u16) -> Duid {
    let [high, low] = n.to_be_bytes();
    Duid::new([0, 3, 0, 1, 2, 0, 0x5e, 0x10, high, low]).expect("a DUID")
}

/// An address that ends in `n`.
pub(crate) fn address(n: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd39, 0x9706, 0x2786, 0x6333, 0, 0, 1, n)
}

/// `seconds` after some day's noon.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp(1_800_000_000_000 + seconds * 1000)
}

/// Client `n` and its address `n`: held at `seconds`, for an hour.
pub(crate) fn change(verb: LeaseVerb, n: u16, seconds: i64) -> LeaseChange {
    LeaseChange {
        verb,
        link: LINK.to_owned(),
        duid: duid(n),
        iaid: Iaid(7),
        leased: address(n).into(),
        next_hop: None,
        class: None,
        source: LeaseSource::Listener,
        preferred_until: at(seconds + 1800),
        valid_until: at(seconds + 3600),
        link_layer: None,
        granted_to: GrantedTo::default(),
        hostname: None,
        at: at(seconds),
        replayed: false,
    }
}

/// A client that holds its lease since [`at`]`(0)`.
pub(crate) async fn holding_client(store: &Store, n: u16) -> ClientId {
    let recorded = store
        .record_leases(vec![change(LeaseVerb::Hold, n, 0)])
        .await
        .expect("the lease is recorded");
    recorded[0].client.expect("a client")
}

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
pub(crate) fn attachment(instance: Id, address: Ipv6Addr) -> Attachment {
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

/// An instance for a client, at [`address`]`(n)`.
pub(crate) fn new_instance(client: ClientId, n: u16) -> NewInstance {
    let id = Id::random().expect("an id");
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
            command: vec!["sleep".to_owned(), "1 000".to_owned()],
            environment: [("A".to_owned(), "ü'\"".to_owned())].into(),
            environment_from: [("B".to_owned(), ValueSource::Credential("b".to_owned()))].into(),
            capabilities: Vec::new(),
            resources: Resources {
                memory: Some(1 << 40),
                millicpus: Some(500),
                pids: None,
                disk: Some(1 << 30),
            },
            labels: [("owner".to_owned(), "test".to_owned())].into(),
            ..ContainerSpec::default()
        }
        .into(),
        containers: vec![container(id)],
        volumes: Vec::new(),
        attachments: vec![attachment(id, address(n))],
        share: Default::default(),
        until: None,
        idle: None,
        at: at(i64::from(n)),
    }
}

/// The same with a further container, with files of each kind.
pub(crate) fn of_two_containers(mut new: NewInstance) -> NewInstance {
    let file = |target: &str, content| File {
        target: target.into(),
        content,
        mode: 0o600,
        uid: 1,
        gid: 2,
    };
    let spec = ContainerSpec {
        image: "haproxy:3".to_owned(),
        files: vec![
            file("/etc/a", FileContent::Text("ü'\"\n".to_owned())),
            file("/etc/b", FileContent::From(ValueSource::Credential("b".to_owned()))),
        ],
        ..ContainerSpec::default()
    };
    new.spec.main.resolver = Some(Resolver {
        servers: vec!["fd39::53".parse().expect("an address")],
        search: vec!["example.org".to_owned()],
    });
    new.containers.push(Container {
        name: "proxy".to_owned(),
        image: spec.image.clone(),
        ..container(new.id)
    });
    new.volumes.push(orchestrator::store::NewVolume {
        id: Id::random().expect("an id"),
        slot: None,
        name: "data".to_owned(),
        host: HostId::local(),
        size: Some(1 << 30),
        keep: orchestrator::model::Keep::Unused(Duration::from_millis(1_500)),
    });
    let name = "proxy".parse().expect("a name");
    new.spec.sidecars.push(Sidecar { name, spec });
    new
}

/// An event of an instance.
pub(crate) fn event(kind: EventKind, client: ClientId) -> NewEvent {
    let link = Some(LINK.to_owned());
    NewEvent {
        link,
        client: Some(client),
        ..NewEvent::new(at(1), kind)
    }
}

/// Records an instance for a client.
pub(crate) async fn plan(store: &Store, client: ClientId, n: u16) -> Instance {
    let planned = store
        .plan_instance(new_instance(client, n), event(EventKind::InstanceWanted, client))
        .await;
    planned.expect("the instance is recorded")
}

/// The next phase of an instance, with nothing else to say.
pub(crate) fn update(phase: Phase, seconds: i64) -> InstanceUpdate {
    InstanceUpdate {
        phase,
        reason: None,
        attempts: 0,
        due: None,
        references: Some(BTreeMap::new()),
        ready: None,
        kept_until: None,
        reset: None,
        at: at(seconds),
    }
}

/// Takes an instance all the way out.
pub(crate) async fn remove(store: &Store, instance: &Instance) {
    for phase in [Phase::Removing, Phase::Removed] {
        assert!(
            store
                .update_instance(instance.id, update(phase, 100), None)
                .await
                .expect("the update")
        );
    }
}

/// The clients of a link that are to have an instance.
pub(crate) async fn wanting(store: &Store, link: &str) -> Vec<ClientId> {
    let wanting = store.wanting(link).await.expect("they are found");
    wanting.into_iter().map(|wanting| wanting.client).collect()
}

/// The slot that [`new_instance`] fills.
pub(crate) fn slot(client: ClientId) -> SlotKey {
    SlotKey::new(client, Slot::new("default"))
}
