//! Takes notifications to the workers: of an owner to the workers of all slots that it wants or has.

use std::collections::BTreeSet;
use std::future::pending;
use std::time::Duration;

use async_trait::async_trait;

use super::Orchestrator;
use super::wants::Want;
use crate::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_model::{Owner, Slot, SlotKey};
use orchestrator_runtime::notifications::Notified;
use orchestrator_store::{Holding, Situation, StoreError};

/// The wait before a store is asked again that did not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Wakes workers.
struct Dispatch {
    orchestrator: Orchestrator,
    /// Owners that were received, and not taken to the workers yet. In order, so that a test can repeat a run.
    pending: BTreeSet<Owner>,
}

impl Orchestrator {
    /// Wakes workers until the daemon stops.
    pub(super) fn register_dispatch(&self) {
        let purpose = "takes notifications about owners to the workers of their slots";
        let registration = Registration::new("instances", purpose).retrying(Backoff::constant(PAUSE));
        let dispatch = Dispatch {
            orchestrator: self.clone(),
            pending: BTreeSet::new(),
        };
        self.inner.driver.register(registration, dispatch);
    }

    /// Wakes the workers of all slots that an owner wants or has.
    async fn wake_all(&self, owner: &Owner) -> Result<(), StoreError> {
        let (holding, slots) = self.slots_of(owner).await?;
        for slot in slots {
            let key = SlotKey::new(owner.clone(), slot);
            match &holding {
                // A worker of an empty slot looks for nothing else than what was just read.
                Some(holding) if !holding.slots.contains(&key.slot) => self.wake_in(Situation {
                    key,
                    holding: Some(holding.clone()),
                    instance: None,
                }),
                _ => self.wake(key),
            }
        }
        Ok(())
    }

    /// The slots that an owner wants or has, with what it holds if it is a client.
    async fn slots_of(&self, owner: &Owner) -> Result<(Option<Holding>, BTreeSet<Slot>), StoreError> {
        let store = &self.inner.records;
        let (holding, mut slots) = match owner.client() {
            Some(client) => {
                let holding = store.holding(client).await?;
                let slots = holding
                    .as_ref()
                    .map(|holding| holding.slots.clone())
                    .unwrap_or_default();
                (holding, slots)
            }
            None => (None, store.live_slots(owner).await?),
        };
        let wanted = self.wanted(owner, holding.as_ref());
        self.keep_waiting_only(owner, |key| matches!(wanted.get(&key.slot), Some(Want::Fill { .. })));
        slots.extend(wanted.into_keys());
        Ok((holding, slots))
    }
}

#[async_trait]
impl Reconciler for Dispatch {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        while let Some(owner) = self.pending.first().cloned() {
            // It stays pending until the store has answered.
            let woken = self.orchestrator.wake_all(&owner).await;
            woken.map_err(|fault| Failure::of(&fault))?;
            self.pending.remove(&owner);
        }
        Ok(Next::Wait)
    }

    async fn notified(&mut self) {
        if !self.pending.is_empty() {
            // The store did not answer: it is asked again after the pause, however many notifications come meanwhile.
            return pending().await;
        }
        let Notified { owners, slots } = self.orchestrator.inner.notifications.received().await;
        let slots: BTreeSet<SlotKey> = slots.into_iter().collect();
        slots.into_iter().for_each(|key| self.orchestrator.wake(key));
        self.pending.extend(owners);
    }
}
