//! The part of the store that the instance reconciler needs.
//!
//! It is a trait, so that the reconciler can be tested on records in memory and on a paused clock.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::Ipv6Addr;
use std::sync::Arc;

use async_trait::async_trait;
use orchestrator_model::{
    AttachmentId, ClientId, Duid, Id, Instance, InstanceId, NewEvent, Owner, Pause, PauseScope, RecordedVolume, SiteId,
    Slot, SlotKey, TimeChange, Timestamp,
};
use orchestrator_store::{Holding, InstanceUpdate, NewInstance, Promise, Situation, Store, StoreError, Wanting};

/// The reads and writes of the instance reconciler. Every method does the same as the method of [`Store`] with the same
/// name.
#[async_trait]
pub trait Records: Send + Sync + 'static {
    /// The site whose mark everything carries.
    fn site(&self) -> SiteId;

    /// The mark of what is made for the client with this DUID, from which nobody finds out the DUID.
    fn mark_of(&self, client: &Duid) -> String;

    /// A new id for an instance or an attachment.
    fn new_id(&self) -> Result<Id, StoreError> {
        Id::random().map_err(|source| StoreError::Random {
            source: Arc::new(source),
        })
    }

    /// The situation of a slot; `None` when it would be a client's that there is not.
    async fn situation(&self, key: &SlotKey) -> Result<Option<Situation>, StoreError>;

    /// The leases of a client; `None` when there is no such client.
    async fn holding(&self, client: ClientId) -> Result<Option<Holding>, StoreError>;

    /// The slots of an owner that have live instances.
    async fn live_slots(&self, owner: &Owner) -> Result<BTreeSet<Slot>, StoreError>;

    /// Every client of a link that holds a lease and is to have instances, if the link or its class provides any.
    async fn wanting(&self, link: &str) -> Result<Vec<Wanting>, StoreError>;

    /// What is promised to every live instance, and what was to those that were recorded after `since` and are removed.
    async fn promises(&self, since: Timestamp) -> Result<Vec<Promise>, StoreError>;

    /// All pauses.
    async fn pauses(&self) -> Result<Vec<Pause>, StoreError>;

    /// Records a pause; `false` if its scope is paused already.
    async fn pause(&self, pause: Pause) -> Result<bool, StoreError>;

    /// Ends a pause; `false` if its scope is not paused.
    async fn resume(&self, scope: PauseScope, at: Timestamp, by: Option<String>) -> Result<bool, StoreError>;

    /// Changes the times of an instance.
    async fn change_times(
        &self,
        id: InstanceId,
        change: TimeChange,
        at: Timestamp,
        by: Option<String>,
    ) -> Result<Instance, StoreError>;

    /// Records counts of packets.
    async fn count_traffic(&self, counts: Vec<(InstanceId, u64, bool)>, at: Timestamp) -> Result<(), StoreError>;

    /// Every instance that is ready and has an idle limit.
    async fn idle_limited_instances(&self) -> Result<Vec<Instance>, StoreError>;

    /// Every instance that is not removed.
    async fn live_instances(&self) -> Result<Vec<Instance>, StoreError>;

    /// One instance, also one that is removed.
    async fn recorded_instance(&self, id: InstanceId) -> Result<Option<Instance>, StoreError>;

    /// Which of these instances were ever recorded, each with the reference of its first container.
    async fn known_instances(&self, ids: &[InstanceId]) -> Result<HashMap<InstanceId, Option<String>>, StoreError>;

    /// The volumes that are kept for an owner.
    async fn volumes_of(&self, owner: &Owner) -> Result<Vec<RecordedVolume>, StoreError>;

    /// Records an instance in a slot, with its event.
    async fn plan_instance(&self, new: NewInstance, event: NewEvent) -> Result<Instance, StoreError>;

    /// Records where an instance is; `false` when the way is barred.
    async fn update_instance(
        &self,
        id: InstanceId,
        update: InstanceUpdate,
        event: Option<NewEvent>,
    ) -> Result<bool, StoreError>;

    /// Records the address of an attachment that waits for one, and ends the wait of its instance.
    async fn give_address(
        &self,
        attachment: AttachmentId,
        address: Ipv6Addr,
        at: Timestamp,
    ) -> Result<Instance, StoreError>;

    /// Has an instance removed, and its client want none until its next lease event.
    async fn destroy_instance(
        &self,
        id: InstanceId,
        at: Timestamp,
        detail: Option<String>,
        by: Option<String>,
    ) -> Result<Instance, StoreError>;

    /// Ends the waits of instances of this engine.
    async fn hurry_instances(&self, engine: &str) -> Result<(), StoreError>;

    /// Ends the waits of instances of this network.
    async fn hurry_link(&self, network: &str) -> Result<(), StoreError>;

    /// The addresses that live instances have on a network.
    async fn taken_addresses(&self, network: &str) -> Result<HashSet<Ipv6Addr>, StoreError>;

    /// The address that the last instance in a slot has or had on a network.
    async fn last_address(&self, key: &SlotKey, network: &str) -> Result<Option<Ipv6Addr>, StoreError>;

    /// Records an event.
    async fn append_event(&self, event: NewEvent) -> Result<(), StoreError>;
}

#[async_trait]
impl Records for Store {
    fn site(&self) -> SiteId {
        self.identity().site
    }

    fn mark_of(&self, client: &Duid) -> String {
        self.identity().mark_of(client)
    }

    async fn situation(&self, key: &SlotKey) -> Result<Option<Situation>, StoreError> {
        Store::situation(self, key).await
    }

    async fn holding(&self, client: ClientId) -> Result<Option<Holding>, StoreError> {
        Store::holding(self, client).await
    }

    async fn live_slots(&self, owner: &Owner) -> Result<BTreeSet<Slot>, StoreError> {
        Store::live_slots(self, owner).await
    }

    async fn wanting(&self, link: &str) -> Result<Vec<Wanting>, StoreError> {
        Store::wanting(self, link).await
    }

    async fn promises(&self, since: Timestamp) -> Result<Vec<Promise>, StoreError> {
        Store::promises(self, since).await
    }

    async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        Store::pauses(self).await
    }

    async fn pause(&self, pause: Pause) -> Result<bool, StoreError> {
        Store::pause(self, pause).await
    }

    async fn resume(&self, scope: PauseScope, at: Timestamp, by: Option<String>) -> Result<bool, StoreError> {
        Store::resume(self, scope, at, by).await
    }

    async fn change_times(
        &self,
        id: InstanceId,
        change: TimeChange,
        at: Timestamp,
        by: Option<String>,
    ) -> Result<Instance, StoreError> {
        Store::change_times(self, id, change, at, by).await
    }

    async fn count_traffic(&self, counts: Vec<(InstanceId, u64, bool)>, at: Timestamp) -> Result<(), StoreError> {
        Store::count_traffic(self, counts, at).await
    }

    async fn idle_limited_instances(&self) -> Result<Vec<Instance>, StoreError> {
        Store::idle_limited_instances(self).await
    }

    async fn live_instances(&self) -> Result<Vec<Instance>, StoreError> {
        Store::live_instances(self).await
    }

    async fn recorded_instance(&self, id: InstanceId) -> Result<Option<Instance>, StoreError> {
        Ok(Store::instance(self, id).await?.map(|view| view.instance))
    }

    async fn known_instances(&self, ids: &[InstanceId]) -> Result<HashMap<InstanceId, Option<String>>, StoreError> {
        Store::known_instances(self, ids).await
    }

    async fn volumes_of(&self, owner: &Owner) -> Result<Vec<RecordedVolume>, StoreError> {
        Store::volumes_of(self, owner).await
    }

    async fn plan_instance(&self, new: NewInstance, event: NewEvent) -> Result<Instance, StoreError> {
        Store::plan_instance(self, new, event).await
    }

    async fn update_instance(
        &self,
        id: InstanceId,
        update: InstanceUpdate,
        event: Option<NewEvent>,
    ) -> Result<bool, StoreError> {
        Store::update_instance(self, id, update, event).await
    }

    async fn give_address(
        &self,
        attachment: AttachmentId,
        address: Ipv6Addr,
        at: Timestamp,
    ) -> Result<Instance, StoreError> {
        Store::give_address(self, attachment, address, at).await
    }

    async fn destroy_instance(
        &self,
        id: InstanceId,
        at: Timestamp,
        detail: Option<String>,
        by: Option<String>,
    ) -> Result<Instance, StoreError> {
        Store::destroy_instance(self, id, at, detail, by).await
    }

    async fn hurry_instances(&self, engine: &str) -> Result<(), StoreError> {
        Store::hurry_instances(self, engine).await
    }

    async fn hurry_link(&self, network: &str) -> Result<(), StoreError> {
        Store::hurry_link(self, network).await
    }

    async fn taken_addresses(&self, network: &str) -> Result<HashSet<Ipv6Addr>, StoreError> {
        Store::taken_addresses(self, network).await
    }

    async fn last_address(&self, key: &SlotKey, network: &str) -> Result<Option<Ipv6Addr>, StoreError> {
        Store::last_address(self, key, network).await
    }

    async fn append_event(&self, event: NewEvent) -> Result<(), StoreError> {
        Store::append_event(self, event).await.map(drop)
    }
}
