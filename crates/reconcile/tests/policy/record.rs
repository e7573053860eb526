//! What is recorded, in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_host::fake::CrashPoints;
use orchestrator_model::{
    Access, Attachment, ClientId, Event, EventKind, GrantedTo, HostId, Iaid, Id, Instance, InstanceId, InstanceSpec,
    Lease, LeaseSource, LeaseState, Leased, MacAddress, Owner, Phase, Slot, Times, Timestamp,
};
use orchestrator_policy::OwnerFacts;
use orchestrator_reconcile::policy::PolicyRecords;
use orchestrator_store::{AwayCause, StoreError};
use tokio::sync::broadcast;

/// Events that a reader may be behind. Small, so that a test can exceed it.
const EVENTS: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) owners: BTreeMap<Owner, OwnerFacts>,
    /// Whether the store does not answer.
    pub(crate) is_away: bool,
    /// How often all facts were read, and those of one owner.
    pub(crate) reads: (u64, u64),
}

/// What is recorded, and the events of it. A cheap handle.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    record: Arc<Mutex<Record>>,
    events: broadcast::Sender<Event>,
    crash_points: CrashPoints,
}

impl Memory {
    pub(crate) fn new(crash_points: CrashPoints) -> Self {
        Self {
            record: Arc::default(),
            events: broadcast::channel(EVENTS).0,
            crash_points,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap()
    }

    /// Changes the facts of an owner, and says nothing.
    pub(crate) fn change(&self, owner: &Owner, change: impl FnOnce(&mut OwnerFacts)) {
        let mut record = self.lock();
        let facts = record.owners.entry(owner.clone());
        change(facts.or_insert_with(|| OwnerFacts::nothing(owner.clone())));
    }

    /// Says that something of an owner was recorded.
    pub(crate) fn tell(&self, owner: &Owner) {
        let instance = self
            .lock()
            .owners
            .get(owner)
            .and_then(|facts| facts.instances.first().map(|one| one.id));
        let event = Event {
            id: 1,
            at: Timestamp(1),
            kind: EventKind::LeaseGranted,
            link: Some("br0".to_owned()),
            client: owner.client(),
            instance,
            host: None,
            service: None,
            leased: None,
            detail: None,
            by: None,
        };
        // Nobody listens while there is no daemon.
        let _ = self.events.send(event);
    }

    async fn read(&self) -> Result<MutexGuard<'_, Record>, StoreError> {
        self.crash_points.pass().await;
        let record = self.lock();
        match record.is_away {
            true => Err(away()),
            false => Ok(record),
        }
    }
}

fn away() -> StoreError {
    StoreError::Away {
        doing: "read what is recorded",
        source: AwayCause::Slow(Duration::from_secs(1)),
    }
}

#[async_trait]
impl PolicyRecords for Memory {
    fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    async fn facts_of(&self, owner: &Owner) -> Result<OwnerFacts, StoreError> {
        let mut record = self.read().await?;
        record.reads.1 += 1;
        let facts = record.owners.get(owner).cloned();
        Ok(facts.unwrap_or_else(|| OwnerFacts::nothing(owner.clone())))
    }

    async fn owner_of(&self, instance: InstanceId) -> Result<Option<Owner>, StoreError> {
        let record = self.read().await?;
        let mut all = record.owners.values();
        let found = all.find(|facts| facts.instances.iter().any(|one| one.id == instance));
        Ok(found.map(|facts| facts.owner.clone()))
    }

    async fn all_facts(&self) -> Result<Vec<OwnerFacts>, StoreError> {
        let mut record = self.read().await?;
        record.reads.0 += 1;
        Ok(record.owners.values().cloned().collect())
    }
}

pub(crate) fn client(number: u8) -> Owner {
    Owner::Client(client_id(number))
}

pub(crate) fn client_id(number: u8) -> ClientId {
    Id::from_bytes([0, 0, 0, 0, 1, number])
}

/// The lease of a client, spoken for from the link-layer address and the port with the number of `place`.
pub(crate) fn lease(number: u8, place: u8) -> Lease {
    let mac = MacAddress([0x52, 0x54, 0, 0, 0, place]);
    let leased: Leased = format!("fd39::1:{number:x}").parse().unwrap();
    Lease {
        link: "br0".to_owned(),
        leased,
        client: client_id(number),
        duid: format!("00:03:00:01:52:54:00:00:00:{number:02x}").parse().unwrap(),
        iaid: Iaid(1),
        source: LeaseSource::Listener,
        state: LeaseState::Active,
        next_hop: None,
        granted_to: GrantedTo {
            link_layer: Some(mac.to_string().parse().unwrap()),
            link_local: Some(format!("fe80::{place:x}").parse().unwrap()),
            port: Some(format!("tap{place}")),
            relay: None,
        },
        preferred_until: Timestamp(1000),
        valid_until: Timestamp(2000),
        granted: Timestamp(i64::from(number)),
        changed: Timestamp(1),
    }
}

/// An instance of an owner in this phase. Its address ends with the number.
pub(crate) fn instance(owner: &Owner, number: u8, phase: Phase) -> Instance {
    let id = Id::from_bytes([7, 0, 0, 0, 0, number]);
    let address: std::net::Ipv6Addr = format!("fd39::2:{number:x}").parse().unwrap();
    Instance {
        id,
        owner: owner.clone(),
        slot: Slot::new("web"),
        host: Some(HostId::local()),
        template: "web".to_owned(),
        version: 1,
        spec: InstanceSpec {
            access: Access::default(),
            ..InstanceSpec::default()
        },
        phase,
        reason: None,
        attempts: 0,
        due: None,
        created: Timestamp(1),
        ready: None,
        changed: Timestamp(1),
        times: Times::default(),
        containers: Vec::new(),
        attachments: vec![Attachment {
            id,
            instance: id,
            container: "main".to_owned(),
            network: "br0".to_owned(),
            bridge: "br0".to_owned(),
            interface: "eth1".to_owned(),
            address: Some(address),
            prefix_length: 64,
            gateway: None,
            isolated: true,
            mac: MacAddress::of(address),
            routed: Vec::new(),
        }],
    }
}
