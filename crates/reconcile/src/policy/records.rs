//! The part of the store that the policy reconciler needs.

use std::collections::HashMap;

use async_trait::async_trait;
use orchestrator_model::{Event, InstanceId, LeaseState, Owner};
use orchestrator_policy::OwnerFacts;
use orchestrator_store::{LeaseFilter, Store, StoreError};
use tokio::sync::broadcast;

/// The reads of the policy reconciler.
#[async_trait]
pub trait PolicyRecords: Send + Sync + 'static {
    /// Every event that is recorded from now on.
    fn events(&self) -> broadcast::Receiver<Event>;

    /// What is recorded of one owner now.
    async fn facts_of(&self, owner: &Owner) -> Result<OwnerFacts, StoreError>;

    /// The owner of an instance, also when it is removed.
    async fn owner_of(&self, instance: InstanceId) -> Result<Option<Owner>, StoreError>;

    /// What is recorded of every owner that has an active lease or a live instance.
    async fn all_facts(&self) -> Result<Vec<OwnerFacts>, StoreError>;
}

#[async_trait]
impl PolicyRecords for Store {
    fn events(&self) -> broadcast::Receiver<Event> {
        self.subscribe()
    }

    async fn facts_of(&self, owner: &Owner) -> Result<OwnerFacts, StoreError> {
        let mut facts = OwnerFacts::nothing(owner.clone());
        if let Owner::Client(client) = owner
            && let Some(holding) = self.holding(*client).await?
        {
            facts.link_layer = holding.client.link_layer;
            facts.leases = holding.active_leases;
        }
        facts.instances = self.live_instances_of(owner).await?;
        Ok(facts)
    }

    async fn owner_of(&self, instance: InstanceId) -> Result<Option<Owner>, StoreError> {
        let found = self.instance(instance).await?;
        Ok(found.map(|view| view.instance.owner))
    }

    async fn all_facts(&self) -> Result<Vec<OwnerFacts>, StoreError> {
        let mut all: HashMap<Owner, OwnerFacts> = HashMap::new();
        let of = |owner: Owner| OwnerFacts::nothing(owner);
        let mut after = None;
        loop {
            let filter = LeaseFilter {
                state: Some(LeaseState::Active),
                after,
                ..LeaseFilter::default()
            };
            let page = self.leases(filter).await?;
            for view in page.items {
                let owner = Owner::Client(view.lease.client);
                let facts = all.entry(owner.clone()).or_insert_with(|| of(owner));
                facts.link_layer = view.link_layer;
                facts.leases.push(view.lease);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        for instance in self.live_instances().await? {
            let owner = instance.owner.clone();
            let facts = all.entry(owner.clone()).or_insert_with(|| of(owner));
            facts.instances.push(instance);
        }
        Ok(all.into_values().collect())
    }
}
