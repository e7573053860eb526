//! Records a wanted instance, before anything of it is created.

use std::net::Ipv6Addr;
use std::time::Duration;

use super::batch::Batch;
use super::connection::{execute, fetch_optional, statements};
use super::text::Columns;
use super::times::milliseconds;
use super::writer::Write;
use super::{NewVolume, Store, StoreError, clients, instances, volumes};
use orchestrator_model::{
    Attachment, Container, HostId, Instance, InstanceId, InstanceSpec, NewEvent, Owner, Phase, Share, Slot, SlotKey,
    Times, Timestamp,
};

statements! {
    HOLDER = "select instance from attachments where network = $1 and address = $2 and live = 1";
    INSERT = "insert into instances (id, owner_kind, owner, slot, host, template, version, spec, phase, reason, attempts,
            due, created, ready, changed, port, link_layer, until, idle)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, null, 0, null, $10, null, $10, $11, $12, $13, $14)";
    INSERT_CONTAINER = "insert into containers (instance, name, place, engine, image, reference)
        values ($1, $2, $3, $4, $5, $6)";
    INSERT_ATTACHMENT = "insert into attachments (id, instance, place, container, network, bridge, interface,
            address, prefix_length, gateway, isolated, mac, routed, live)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 1)";
}

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

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Instance, StoreError> {
        let new = &self.new;
        self.refuse(batch).await?;
        let columns = Columns("instance");
        let spec = serde_json::to_string(&new.spec).map_err(|error| columns.bad("spec", error))?;
        let version = i64::try_from(new.version).map_err(|_| columns.bad("version", new.version))?;
        execute!(
            &mut batch.tx,
            "record an instance",
            INSERT,
            new.id.to_string(),
            new.owner.kind().word(),
            new.owner.name(),
            new.slot.as_str(),
            new.host.as_ref().map(HostId::as_str),
            new.template.as_str(),
            version,
            spec,
            new.phase.word(),
            new.at.0,
            new.share.port.as_deref(),
            new.share.link_layer.as_ref().map(ToString::to_string),
            new.until.map(|until| until.0),
            new.idle.map(milliseconds),
        )?;
        for (place, container) in (0..).zip(&new.containers) {
            insert_container(batch, new.id, place, container).await?;
        }
        for (place, attachment) in (0..).zip(&new.attachments) {
            insert_attachment(batch, new.id, place, attachment).await?;
        }
        batch.append_event(self.event.clone()).await?;
        volumes::claim(batch, &new.owner, new.id, &new.volumes, &self.event, new.at).await?;
        Ok(new.instance())
    }
}

impl PlanInstance {
    /// Refuses what the indexes would refuse, and names the conflicting instance.
    async fn refuse(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let new = &self.new;
        if let Some(client) = new.owner.client()
            && clients::find(&mut batch.tx, client).await?.is_none()
        {
            return Err(StoreError::NoSuchClient(client));
        }
        let key = SlotKey::new(new.owner.clone(), new.slot.clone());
        if let Some(live) = instances::live_in_slot(&mut batch.tx, &key).await? {
            return Err(StoreError::AlreadyThere { key, instance: live.id });
        }
        for attachment in &new.attachments {
            if let Some(address) = attachment.address {
                refuse_address(batch, &attachment.network, address).await?;
            }
        }
        volumes::refuse(batch, &new.owner, &new.volumes).await
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

async fn insert_container(
    batch: &mut Batch<'_>,
    instance: InstanceId,
    place: i64,
    container: &Container,
) -> Result<(), StoreError> {
    execute!(
        &mut batch.tx,
        "record a container",
        INSERT_CONTAINER,
        instance.to_string(),
        container.name.as_str(),
        place,
        container.engine.as_str(),
        container.image.as_str(),
        container.reference.as_deref(),
    )
    .map(drop)
}

async fn insert_attachment(
    batch: &mut Batch<'_>,
    instance: InstanceId,
    place: i64,
    attachment: &Attachment,
) -> Result<(), StoreError> {
    let routed = serde_json::to_string(&attachment.routed);
    let routed = routed.map_err(|error| Columns("attachment").bad("routed", error))?;
    execute!(
        &mut batch.tx,
        "record an attachment",
        INSERT_ATTACHMENT,
        attachment.id.to_string(),
        instance.to_string(),
        place,
        attachment.container.as_str(),
        attachment.network.as_str(),
        attachment.bridge.as_str(),
        attachment.interface.as_str(),
        attachment.address.map(|address| address.to_string()),
        i64::from(attachment.prefix_length),
        attachment.gateway.map(|gateway| gateway.to_string()),
        i64::from(attachment.isolated),
        attachment.mac.to_string(),
        routed,
    )
    .map(drop)
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
