//! The record in memory: it refuses what the store refuses, is slow and away now and then, and outlives the daemon.

mod clients;
mod images;
mod limits;
mod services;
mod state;
mod volumes;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use ipnet::Ipv6Net;
use orchestrator_host::fake::{CrashPoints, Random};
use orchestrator_model::{
    AttachmentId, BroughtImage, Client, ClientId, Event, EventKind, GrantedTo, Iaid, Id, ImageKey, ImagePin, Instance,
    InstanceId, Keep, Lease, LeaseSource, LeaseState, NewEvent, Owner, OwnerLease, Pause, PauseScope, Phase,
    RecordedVolume, Share, SiteId, Slot, SlotKey, TimeChange, Times, Timestamp, VolumeId, VolumeState,
};
use orchestrator_reconcile::instance::Records;
use orchestrator_reconcile::volumes::VolumeRecords;
use orchestrator_store::{
    AwayCause, Holding, IdleVolume, InstanceUpdate, NewInstance, Promise, Situation, StoreError, Wanting,
};
use tokio::sync::broadcast;
use tokio::time::sleep;

use crate::clock::now;

/// How the record fails, in times a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StoreFaults {
    pub(crate) away_before: u32,
    pub(crate) away_after: u32,
    pub(crate) latency: Duration,
}

#[derive(Debug)]
pub(crate) struct State {
    random: Random,
    ids: u64,
    pub(crate) faults: StoreFaults,
    pub(crate) clients: BTreeMap<ClientId, Client>,
    pub(crate) leases: BTreeMap<ClientId, Lease>,
    pub(crate) instances: BTreeMap<InstanceId, Instance>,
    pub(crate) volumes: BTreeMap<VolumeId, RecordedVolume>,
    pub(crate) pins: Vec<ImagePin>,
    pub(crate) images: BTreeMap<ImageKey, BroughtImage>,
    /// Slots whose last instance was ended by time, and when.
    pub(crate) spent: BTreeMap<SlotKey, Timestamp>,
    pub(crate) events: Vec<NewEvent>,
    /// Whom each instance counts for.
    pub(crate) shares: BTreeMap<InstanceId, Share>,
    pub(crate) pauses: BTreeMap<PauseScope, Pause>,
    /// The bridge port that a client is behind.
    pub(crate) ports: BTreeMap<u8, String>,
    /// What it was asked for, in order.
    pub(crate) asked: Vec<&'static str>,
    /// Whether the last interface of a new instance has no address yet.
    pub(crate) pending: bool,
    /// Prefixes that are routed to the first interface of a new instance.
    pub(crate) routed: Vec<Ipv6Net>,
    /// Services with their versions, slots and operations.
    pub(crate) services: services::Services,
    /// How many of the events were sent to those who listen.
    sent: usize,
}

/// The record. A cheap handle: all clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    state: Arc<Mutex<State>>,
    sender: broadcast::Sender<Event>,
    crash_points: CrashPoints,
}

impl Memory {
    pub(crate) fn new(seed: u64, crash_points: CrashPoints) -> Self {
        let state = State {
            random: Random::new(seed ^ 0x5eed),
            ids: seed << 16,
            faults: StoreFaults::default(),
            clients: BTreeMap::new(),
            leases: BTreeMap::new(),
            instances: BTreeMap::new(),
            volumes: BTreeMap::new(),
            pins: Vec::new(),
            images: BTreeMap::new(),
            spent: BTreeMap::new(),
            events: Vec::new(),
            shares: BTreeMap::new(),
            pauses: BTreeMap::new(),
            ports: BTreeMap::new(),
            asked: Vec::new(),
            pending: false,
            routed: Vec::new(),
            services: services::Services::default(),
            sent: 0,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            sender: broadcast::channel(1024).0,
            crash_points,
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn read<T>(&self, doing: &'static str, read: impl FnOnce(&State) -> T) -> Result<T, StoreError> {
        self.wait(doing).await?;
        let mut state = self.state();
        state.asked.push(doing);
        Ok(read(&state))
    }

    async fn write<T>(
        &self,
        doing: &'static str,
        write: impl FnOnce(&mut State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.wait(doing).await?;
        let written = {
            let mut state = self.state();
            state.asked.push(doing);
            write(&mut state)
        };
        self.send();
        self.crash_points.pass().await;
        let away_after = {
            let mut state = self.state();
            let chance = state.faults.away_after;
            state.random.happens(chance)
        };
        match away_after {
            true => Err(away(doing)),
            false => written,
        }
    }

    async fn wait(&self, doing: &'static str) -> Result<(), StoreError> {
        self.crash_points.pass().await;
        let (latency, is_away) = {
            let mut state = self.state();
            let faults = state.faults;
            (
                state.random.within(faults.latency),
                state.random.happens(faults.away_before),
            )
        };
        sleep(latency).await;
        match is_away {
            true => Err(away(doing)),
            false => Ok(()),
        }
    }
}

fn away(doing: &'static str) -> StoreError {
    StoreError::Away {
        doing,
        source: AwayCause::Slow(Duration::from_secs(1)),
    }
}

#[async_trait]
impl Records for Memory {
    fn site(&self) -> SiteId {
        Id::from_bytes([9; 6])
    }

    fn mark_of(&self, client: &orchestrator_model::Duid) -> String {
        format!("mark of {client}")
    }

    fn new_id(&self) -> Result<Id, StoreError> {
        let mut state = self.state();
        state.ids += 1;
        let [_, _, bytes @ ..] = state.ids.to_be_bytes();
        Ok(Id::from_bytes(bytes))
    }

    async fn situation(&self, key: &SlotKey) -> Result<Option<Situation>, StoreError> {
        let situation = self.read("read a situation", |state| {
            let holding = match key.owner.client() {
                Some(client) => Some(state.holding(client)?),
                None => None,
            };
            Some(Situation {
                key: key.clone(),
                holding,
                instance: state.live_in_slot(key).cloned(),
            })
        });
        situation.await
    }

    async fn holding(&self, client: ClientId) -> Result<Option<Holding>, StoreError> {
        self.read("read a holding", |state| state.holding(client)).await
    }

    async fn live_slots(&self, owner: &Owner) -> Result<BTreeSet<Slot>, StoreError> {
        self.read("read slots", |state| state.live_slots(owner)).await
    }

    async fn wanting(&self, link: &str) -> Result<Vec<Wanting>, StoreError> {
        let wanting = self.read("find who wants", |state| {
            let active = state.leases.values().filter(|lease| lease.state == LeaseState::Active);
            let clients = active.filter_map(|lease| state.clients.get(&lease.client));
            let wanting = clients.filter(|client| client.link == link && client.wants_instance);
            wanting
                .filter_map(|client| state.holding(client.id))
                .map(|holding| Wanting {
                    share: holding.share(),
                    since: holding.since().unwrap(),
                    client: holding.client.id,
                    class: holding.client.class,
                })
                .collect()
        });
        wanting.await
    }

    async fn promises(&self, since: Timestamp) -> Result<Vec<Promise>, StoreError> {
        self.read("read what is promised", |state| state.promises(since)).await
    }

    async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        self.read("read the pauses", |state| state.pauses.values().cloned().collect())
            .await
    }

    async fn pause(&self, pause: Pause) -> Result<bool, StoreError> {
        self.write("record a pause", |state| Ok(state.pause(pause))).await
    }

    async fn resume(&self, scope: PauseScope, _: Timestamp, _: Option<String>) -> Result<bool, StoreError> {
        self.write("end a pause", |state| Ok(state.resume(&scope))).await
    }

    async fn change_times(
        &self,
        id: InstanceId,
        change: TimeChange,
        at: Timestamp,
        by: Option<String>,
    ) -> Result<Instance, StoreError> {
        let changed = self.write("record the times of an instance", |state| {
            state.change_times(id, &change, at, by)
        });
        changed.await
    }

    async fn count_traffic(&self, counts: Vec<(InstanceId, u64, bool)>, at: Timestamp) -> Result<(), StoreError> {
        let counted = self.write("record counts of packets", |state| {
            for (id, packets, active) in counts {
                let live = state.instances.get_mut(&id);
                let live = live.filter(|one| !matches!(one.phase, Phase::Removing | Phase::Removed));
                if let Some(instance) = live {
                    instance.times.packets = Some(packets);
                    instance.times.active = instance.times.active.filter(|_| !active).or(active.then_some(at));
                }
            }
            Ok(())
        });
        counted.await
    }

    async fn idle_limited_instances(&self) -> Result<Vec<Instance>, StoreError> {
        let limited = self.read("read the instances with an idle limit", |state| {
            let all = state.instances.values();
            let limited = all.filter(|one| one.phase == Phase::Ready && one.times.idle.is_some());
            limited.cloned().collect()
        });
        limited.await
    }

    async fn live_instances(&self) -> Result<Vec<Instance>, StoreError> {
        let live = self.read("read the live instances", |state| {
            let live = state
                .instances
                .values()
                .filter(|instance| instance.phase != Phase::Removed);
            live.cloned().collect()
        });
        live.await
    }

    async fn recorded_instance(&self, id: InstanceId) -> Result<Option<Instance>, StoreError> {
        self.read("look up an instance", |state| state.instances.get(&id).cloned())
            .await
    }

    async fn known_instances(&self, ids: &[InstanceId]) -> Result<HashMap<InstanceId, Option<String>>, StoreError> {
        let known = self.read("find known instances", |state| {
            let known = ids.iter().filter_map(|id| state.instances.get(id));
            known
                .map(|instance| (instance.id, instance.reference().map(str::to_owned)))
                .collect()
        });
        known.await
    }

    async fn volumes_of(&self, owner: &Owner) -> Result<Vec<RecordedVolume>, StoreError> {
        let kept = self.read("read the volumes of an owner", |state| {
            let own = state.volumes.values().filter(|volume| volume.owner == *owner);
            own.filter(|volume| volume.state == VolumeState::Kept)
                .cloned()
                .collect()
        });
        kept.await
    }

    async fn plan_instance(&self, new: NewInstance, event: NewEvent) -> Result<Instance, StoreError> {
        let planned = self.write("record an instance", |state| {
            let planned = state.plan(new)?;
            state.events.push(event);
            Ok(planned)
        });
        planned.await
    }

    async fn update_instance(
        &self,
        id: InstanceId,
        update: InstanceUpdate,
        event: Option<NewEvent>,
    ) -> Result<bool, StoreError> {
        let updated = self.write("record where an instance is", |state| {
            let updated = state.update(id, update);
            state.events.extend(event.filter(|_| updated));
            Ok(updated)
        });
        updated.await
    }

    async fn destroy_instance(
        &self,
        id: InstanceId,
        at: Timestamp,
        detail: Option<String>,
        _by: Option<String>,
    ) -> Result<Instance, StoreError> {
        let destroyed = self.write("record a removal", |state| {
            let instance = state.instances.get_mut(&id).ok_or(StoreError::NoSuchInstance(id))?;
            if instance.phase == Phase::Removed {
                return Ok(instance.clone());
            }
            let mut event = None;
            if instance.phase != Phase::Removing {
                event = Some(NewEvent {
                    detail: detail.clone(),
                    ..instance.event(at, EventKind::InstanceDestroyed)
                });
                instance.phase = Phase::Removing;
                instance.reason = detail;
                instance.attempts = 0;
                instance.due = None;
                instance.changed = at;
            }
            let instance = instance.clone();
            state.events.extend(event);
            if let Some(client) = instance.client().and_then(|client| state.clients.get_mut(&client)) {
                client.wants_instance = false;
            }
            Ok(instance)
        });
        destroyed.await
    }

    async fn hurry_instances(&self, engine: &str) -> Result<(), StoreError> {
        let hurried = self.write("end waits", |state| {
            for instance in state.instances.values_mut() {
                let waits = matches!(instance.phase, Phase::Pending | Phase::Starting | Phase::Removing);
                if waits && instance.engine() == engine {
                    instance.due = None;
                }
            }
            Ok(())
        });
        hurried.await
    }

    async fn give_address(
        &self,
        attachment: AttachmentId,
        address: Ipv6Addr,
        _at: Timestamp,
    ) -> Result<Instance, StoreError> {
        let given = self.write("record the address of an attachment", |state| {
            let mut all = state.instances.values();
            let of = |instance: &&Instance| instance.attachments.iter().any(|one| one.id == attachment);
            let id = all
                .find(of)
                .map(|instance| instance.id)
                .ok_or(StoreError::NotPending(attachment))?;
            let network = state.instances[&id].attachments.iter().find(|one| one.id == attachment);
            let network = network.map(|one| one.network.clone()).unwrap_or_default();
            if let Some(instance) = state.holder(&network, address).filter(|holder| *holder != id) {
                return Err(StoreError::AddressTaken {
                    network,
                    address,
                    instance,
                });
            }
            let instance = state.instances.get_mut(&id).unwrap();
            let own = instance
                .attachments
                .iter_mut()
                .find(|one| one.id == attachment)
                .unwrap();
            if own.address.is_some_and(|known| known != address) {
                return Err(StoreError::NotPending(attachment));
            }
            own.address = Some(address);
            instance.due = None;
            Ok(instance.clone())
        });
        given.await
    }

    async fn hurry_link(&self, network: &str) -> Result<(), StoreError> {
        let hurried = self.write("end waits", |state| {
            for instance in state.instances.values_mut() {
                let waits = matches!(instance.phase, Phase::Pending | Phase::Starting);
                if waits && instance.attachments.iter().any(|one| one.bridge == network) {
                    instance.due = None;
                }
            }
            Ok(())
        });
        hurried.await
    }

    async fn taken_addresses(&self, network: &str) -> Result<HashSet<Ipv6Addr>, StoreError> {
        let taken = self.read("read addresses", |state| {
            let live = state
                .instances
                .values()
                .filter(|instance| instance.phase != Phase::Removed);
            let attached = live.flat_map(|instance| &instance.attachments);
            let own = attached.filter(|attachment| attachment.network == network);
            own.filter_map(|attachment| attachment.address).collect()
        });
        taken.await
    }

    async fn last_address(&self, key: &SlotKey, network: &str) -> Result<Option<Ipv6Addr>, StoreError> {
        let last = self.read("look up an address", |state| {
            let own = state
                .instances
                .values()
                .filter(|instance| instance.key() == *key && instance.link() == network);
            own.max_by_key(|instance| instance.created).and_then(Instance::address)
        });
        last.await
    }

    async fn append_event(&self, event: NewEvent) -> Result<(), StoreError> {
        let appended = self.write("record an event", |state| {
            state.events.push(event);
            Ok(())
        });
        appended.await
    }
}
