//! Records a wanted instance, before anything of it is created.

use std::net::Ipv6Addr;
use std::time::Duration;

use super::batch::Batch;
use super::connection::{fetch_optional, statements};
use super::rows::{ManyRows, Number, Text, execute_rows, fetch_rows};
use super::text::Columns;
use super::times::milliseconds;
use super::writer::Write;
use super::{NewVolume, Store, StoreError, volumes};
use orchestrator_model::{
    Attachment, Container, HostId, Instance, InstanceId, InstanceSpec, NewEvent, Owner, Phase, Share, Slot, SlotKey,
    Times, Timestamp,
};

statements! {
    HOLDER = "select instance from attachments where network = $1 and address = $2 and live = 1";
}

// Finds what may conflict with a new instance. `what` says how to read a row: "client" finds the client with the id `first`;
// "slot" finds the live instance in slot `third` of the owner with kind `first` and name `second`; "address" finds the live
// instance with address `second` on network `first`.
static FIND: ManyRows = ManyRows::new(
    &[("what", Text), ("first", Text), ("second", Text), ("third", Text)],
    "select what, c.id from given join clients c on c.id = given.first where what = 'client'
    union all select what, i.id from given join instances i
        on i.owner_kind = given.first and i.owner = given.second and i.slot = given.third and i.phase <> 'removed'
        where what = 'slot'
    union all select what, a.instance from given join attachments a
        on a.network = given.first and a.address = given.second and a.live = 1
        where what = 'address'",
);

static INSERT: ManyRows = ManyRows::new(
    &[
        ("id", Text),
        ("owner_kind", Text),
        ("owner", Text),
        ("slot", Text),
        ("host", Text),
        ("template", Text),
        ("version", Number),
        ("spec", Text),
        ("phase", Text),
        ("at", Number),
        ("port", Text),
        ("link_layer", Text),
        ("until", Number),
        ("idle", Number),
    ],
    "insert or fail into instances (id, owner_kind, owner, slot, host, template, version, spec, phase, reason, attempts,
        due, created, ready, changed, port, link_layer, until, idle)
    select id, owner_kind, owner, slot, host, template, version, spec, phase, null, 0,
        null, at, null, at, port, link_layer, until, idle from given where id is not null",
);

static INSERT_CONTAINERS: ManyRows = ManyRows::new(
    &[
        ("instance", Text),
        ("name", Text),
        ("place", Number),
        ("engine", Text),
        ("image", Text),
        ("reference", Text),
    ],
    "insert or fail into containers (instance, name, place, engine, image, reference)
    select * from given where instance is not null",
);

static INSERT_ATTACHMENTS: ManyRows = ManyRows::new(
    &[
        ("id", Text),
        ("instance", Text),
        ("place", Number),
        ("container", Text),
        ("network", Text),
        ("bridge", Text),
        ("interface", Text),
        ("address", Text),
        ("prefix_length", Number),
        ("gateway", Text),
        ("isolated", Number),
        ("mac", Text),
        ("routed", Text),
    ],
    "insert or fail into attachments (id, instance, place, container, network, bridge, interface,
        address, prefix_length, gateway, isolated, mac, routed, live)
    select id, instance, place, container, network, bridge, interface,
        address, prefix_length, gateway, isolated, mac, routed, 1 from given where id is not null",
);

/// Every statement over many rows of this module.
pub(super) static MANY: [&ManyRows; 4] = [&FIND, &INSERT, &INSERT_CONTAINERS, &INSERT_ATTACHMENTS];

/// An instance to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct NewInstance {
    /// Its id.
    pub id: InstanceId,
    /// Its owner.
    pub owner: Owner,
    /// The slot of the owner that it fills.
    pub slot: Slot,
    /// The host that is to run it; `None` if a scheduler chooses one.
    pub host: Option<HostId>,
    /// The name of its template.
    pub template: String,
    /// The present version of the template.
    pub version: u64,
    /// Its specification.
    pub spec: InstanceSpec,
    /// [`Phase::Pending`], or [`Phase::Starting`] if it is brought up as soon as it is recorded.
    pub phase: Phase,
    /// Its containers, the main one first.
    pub containers: Vec<Container>,
    /// The volumes that it is to hold.
    pub volumes: Vec<NewVolume>,
    /// Its interfaces. The first is the one by which it is reached.
    pub attachments: Vec<Attachment>,
    /// Whom it counts for.
    pub share: Share,
    /// When its lifetime ends; `None` for no limit.
    pub until: Option<Timestamp>,
    /// How long it may be idle; `None` for no limit.
    pub idle: Option<Duration>,
    /// The present time.
    pub at: Timestamp,
}

impl Store {
    /// Records an instance in a slot, with its event.
    ///
    /// # Errors
    ///
    /// [`StoreError::AlreadyThere`] when the slot has a live instance, [`StoreError::AddressTaken`] when another live
    /// instance has one of the addresses, [`StoreError::VolumeTaken`] when another one holds one of the volumes,
    /// [`StoreError::NoSuchClient`] when the owner is a client that does not exist.
    pub async fn plan_instance(&self, new: NewInstance, event: NewEvent) -> Result<Instance, StoreError> {
        self.write(PlanInstance { new, event }).await
    }
}

struct PlanInstance {
    new: NewInstance,
    event: NewEvent,
}

impl Write for PlanInstance {
    type Output = Instance;
    const DOING: &'static str = "record an instance";
    const BEGINS: bool = true;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Instance, StoreError> {
        let new = &self.new;
        self.refuse(batch).await?;
        insert_instance(batch, new).await?;
        insert_containers(batch, new).await?;
        insert_attachments(batch, new).await?;
        batch.append_event(self.event.clone()).await?;
        if !new.volumes.is_empty() {
            batch.settle().await?;
            volumes::claim(batch, &new.owner, new.id, &new.volumes, &self.event, new.at).await?;
        }
        Ok(new.instance())
    }
}

/// A row for [`FIND`].
struct Sought<'n> {
    what: &'static str,
    first: String,
    second: Option<String>,
    third: Option<&'n str>,
}

impl PlanInstance {
    /// Refuses what the indexes would refuse, and names the conflicting instance.
    async fn refuse(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let new = &self.new;
        let found = self.find(batch).await?;
        let first = |what| found.iter().find(|(found, _)| found == what).map(|(_, id)| id.as_str());
        if let Some(client) = new.owner.client()
            && first("client").is_none()
        {
            return Err(StoreError::NoSuchClient(client));
        }
        if let Some(live) = first("slot") {
            let instance = Columns("instance").parse("id", live)?;
            let key = SlotKey::new(new.owner.clone(), new.slot.clone());
            return Err(StoreError::AlreadyThere { key, instance });
        }
        if first("address").is_some() {
            for (network, address) in self.addresses() {
                refuse_address(batch, network, address).await?;
            }
        }
        volumes::refuse(batch, &new.owner, &new.volumes).await
    }

    /// Reads what may conflict. Returns pairs of `what` and an id: of the owner if that is a client, and of each live
    /// instance in the slot or with one of the addresses.
    async fn find(&self, batch: &mut Batch<'_>) -> Result<Vec<(String, String)>, StoreError> {
        let owner = &self.new.owner;
        let slot = Sought {
            what: "slot",
            first: owner.kind().word().to_owned(),
            second: Some(owner.name()),
            third: Some(self.new.slot.as_str()),
        };
        let client = owner.client().map(|client| Sought {
            what: "client",
            first: client.to_string(),
            second: None,
            third: None,
        });
        let addresses = self.addresses().map(|(network, address)| Sought {
            what: "address",
            first: network.to_owned(),
            second: Some(address.to_string()),
            third: None,
        });
        let sought: Vec<Sought<'_>> = [slot].into_iter().chain(client).chain(addresses).collect();
        fetch_rows!(batch, "look for conflicts with a new instance", (String, String), FIND, &sought, one => [
            one.what,
            one.first.as_str(),
            one.second.as_deref(),
            one.third,
        ])
    }

    /// Each address of the instance, with the name of its network.
    fn addresses(&self) -> impl Iterator<Item = (&str, Ipv6Addr)> {
        let attachments = self.new.attachments.iter();
        attachments.filter_map(|attachment| Some((attachment.network.as_str(), attachment.address?)))
    }
}

/// Says no where a live instance has an address of a network.
pub(super) async fn refuse_address(batch: &mut Batch<'_>, network: &str, address: Ipv6Addr) -> Result<(), StoreError> {
    let holder = fetch_optional!(
        &mut batch.tx,
        "look up an address",
        (String,),
        HOLDER,
        network,
        address.to_string()
    )?;
    match holder {
        Some((id,)) => Err(StoreError::AddressTaken {
            network: network.to_owned(),
            address,
            instance: Columns("attachment").parse("instance", &id)?,
        }),
        None => Ok(()),
    }
}

async fn insert_instance(batch: &mut Batch<'_>, new: &NewInstance) -> Result<(), StoreError> {
    struct Row<'n> {
        new: &'n NewInstance,
        version: i64,
        spec: String,
    }
    let columns = Columns("instance");
    let rows = [Row {
        new,
        version: i64::try_from(new.version).map_err(|_| columns.bad("version", new.version))?,
        spec: serde_json::to_string(&new.spec).map_err(|error| columns.bad("spec", error))?,
    }];
    execute_rows!(batch, "record an instance", INSERT, rows, row => [
        row.new.id.to_string(),
        row.new.owner.kind().word(),
        row.new.owner.name(),
        row.new.slot.as_str(),
        row.new.host.as_ref().map(HostId::as_str),
        row.new.template.as_str(),
        row.version,
        row.spec.as_str(),
        row.new.phase.word(),
        row.new.at.0,
        row.new.share.port.as_deref(),
        row.new.share.link_layer.as_ref().map(ToString::to_string),
        row.new.until.map(|until| until.0),
        row.new.idle.map(milliseconds),
    ])
}

async fn insert_containers(batch: &mut Batch<'_>, new: &NewInstance) -> Result<(), StoreError> {
    struct Row<'n> {
        instance: InstanceId,
        place: i64,
        container: &'n Container,
    }
    let places = (0..).zip(&new.containers);
    let rows: Vec<Row<'_>> = places
        .map(|(place, container)| Row {
            instance: new.id,
            place,
            container,
        })
        .collect();
    execute_rows!(batch, "record containers", INSERT_CONTAINERS, rows, row => [
        row.instance.to_string(),
        row.container.name.as_str(),
        row.place,
        row.container.engine.as_str(),
        row.container.image.as_str(),
        row.container.reference.as_deref(),
    ])
}

async fn insert_attachments(batch: &mut Batch<'_>, new: &NewInstance) -> Result<(), StoreError> {
    struct Row<'n> {
        instance: InstanceId,
        place: i64,
        attachment: &'n Attachment,
        routed: String,
    }
    let mut rows = Vec::with_capacity(new.attachments.len());
    for (place, attachment) in (0..).zip(&new.attachments) {
        let routed = serde_json::to_string(&attachment.routed);
        rows.push(Row {
            instance: new.id,
            place,
            attachment,
            routed: routed.map_err(|error| Columns("attachment").bad("routed", error))?,
        });
    }
    execute_rows!(batch, "record attachments", INSERT_ATTACHMENTS, rows, row => [
        row.attachment.id.to_string(),
        row.instance.to_string(),
        row.place,
        row.attachment.container.as_str(),
        row.attachment.network.as_str(),
        row.attachment.bridge.as_str(),
        row.attachment.interface.as_str(),
        row.attachment.address.map(|address| address.to_string()),
        i64::from(row.attachment.prefix_length),
        row.attachment.gateway.map(|gateway| gateway.to_string()),
        i64::from(row.attachment.isolated),
        row.attachment.mac.to_string(),
        row.routed.as_str(),
    ])
}

impl NewInstance {
    fn instance(&self) -> Instance {
        Instance {
            id: self.id,
            owner: self.owner.clone(),
            slot: self.slot.clone(),
            host: self.host.clone(),
            template: self.template.clone(),
            version: self.version,
            spec: self.spec.clone(),
            phase: self.phase,
            reason: None,
            attempts: 0,
            due: None,
            created: self.at,
            ready: None,
            changed: self.at,
            times: Times {
                until: self.until,
                idle: self.idle,
                ..Times::default()
            },
            containers: self.containers.clone(),
            attachments: self.attachments.clone(),
        }
    }
}
