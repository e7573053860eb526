//! One slot's worker: takes the next step until there is none.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::machine::{self, Sight, Step, Terms};
use super::wants::Want;
use super::{HashMap, Orchestrator};
use orchestrator_model::{EventKind, Instance, NewEvent, Owner, Phase, Slot, SlotKey, Timestamp};
use orchestrator_runtime::notifications::Notified;
use orchestrator_store::{Holding, InstanceUpdate, Situation, StoreError};

/// How long a worker waits before it asks a store again that did not answer.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// How a worker is woken.
#[derive(Debug, Default)]
pub(super) struct Wake {
    pending: AtomicBool,
    wake: Notify,
}

impl Wake {
    pub(super) fn notify(&self) {
        self.pending.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Discards a pending notification.
    pub(super) fn clear(&self) {
        self.pending.store(false, Ordering::Release);
    }

    /// Waits for a notification and takes it.
    pub(super) async fn received(&self) {
        while !self.pending.swap(false, Ordering::AcqRel) {
            self.wake.notified().await;
        }
    }
}

/// What a worker does after a step.
enum Next {
    /// Take the next step at once.
    Again,
    /// Nothing to do until it is woken, or until then.
    Rest(Option<Timestamp>),
}

impl Orchestrator {
    /// Notifies the slot's worker, and starts one where there is none.
    pub(super) fn wake(&self, key: SlotKey) {
        match self.workers().entry(key) {
            Entry::Occupied(worker) => worker.get().notify(),
            Entry::Vacant(place) => {
                let wake = Arc::new(Wake::default());
                let key = place.key().clone();
                place.insert(wake.clone());
                let orchestrator = self.clone();
                self.spawn(async move { orchestrator.work_until_done(&key, &wake).await });
            }
        }
    }

    fn workers(&self) -> MutexGuard<'_, HashMap<SlotKey, Arc<Wake>>> {
        self.inner.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work_until_done(&self, key: &SlotKey, wake: &Wake) {
        loop {
            wake.clear();
            let pause = match self.take_step(key, wake).await {
                Ok(Next::Again) => continue,
                Ok(Next::Rest(None)) => {
                    if self.retire(key, wake) {
                        return;
                    }
                    continue;
                }
                Ok(Next::Rest(Some(until))) => until.since(self.inner.clock.now()),
                Err(fault) => {
                    if let Some(held_back) = self.inner.metrics.log_limit().admit("worker-without-store") {
                        let error = &fault as &dyn std::error::Error;
                        tracing::warn!(of = %key, error, held_back, "the store did not answer");
                    }
                    STORE_PAUSE
                }
            };
            tokio::select! {
                biased;
                () = wake.received() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Ends the worker, unless a notification is pending.
    fn retire(&self, key: &SlotKey, wake: &Wake) -> bool {
        let mut workers = self.workers();
        // Notifications are made under the same lock, so none can be lost between this check and the removal.
        let done = !wake.pending.load(Ordering::Acquire);
        if done {
            workers.remove(key);
        }
        done
    }

    async fn take_step(&self, key: &SlotKey, wake: &Wake) -> Result<Next, StoreError> {
        let Some(situation) = self.situation(key).await? else {
            return Ok(Next::Rest(None));
        };
        let instance = situation.instance.as_ref();
        let step = self.next_step(&situation).await;
        tracing::debug!(of = %key, instance = ?instance.map(|i| i.id), ?step, "next step");
        match (step, instance) {
            (Step::Rest, _) => return Ok(Next::Rest(None)),
            (Step::RestUntil(until), _) => return Ok(Next::Rest(Some(until))),
            (Step::Plan, _) => {
                return self.plan(&situation).await.map(|planned| match planned {
                    Ok(()) => Next::Again,
                    Err(retry) => Next::Rest(Some(retry)),
                });
            }
            (Step::Provision, Some(instance)) => self.provision_unless_woken(instance, None, wake).await?,
            (Step::Restart { nth }, Some(instance)) => {
                self.provision_unless_woken(instance, Some(nth), wake).await?;
            }
            (
                Step::Disturb {
                    what,
                    attempts,
                    due,
                    ended,
                },
                Some(instance),
            ) => {
                self.disturb(instance, what, attempts, due).await?;
                if let Some(place) = ended {
                    self.record_output(instance, place, attempts).await?;
                }
            }
            (Step::BeginGrace(until), Some(instance)) => {
                let reason = format!("the client's lease ended; removed at {until} unless the client returns");
                self.move_to(
                    instance,
                    Phase::Ending,
                    Some(reason),
                    Some(until),
                    EventKind::InstanceEnding,
                )
                .await?;
            }
            // After its grace it is treated as if it had just been started, because it may have ended meanwhile.
            (Step::Keep, Some(instance)) => {
                self.move_to(instance, Phase::Pending, None, None, EventKind::InstanceKept)
                    .await?;
            }
            (Step::Condemn, Some(instance)) => {
                let reason = Some("the client's lease ended".to_owned());
                self.inner
                    .records
                    .update_instance(instance.id, self.update(instance, Phase::Removing, reason, None), None)
                    .await?;
            }
            (Step::Remove, Some(instance)) => self.remove(instance).await?,
            // The machine takes steps on an instance only where there is one.
            (_, None) => return Ok(Next::Rest(None)),
        }
        Ok(Next::Again)
    }

    pub(super) async fn situation(&self, key: &SlotKey) -> Result<Option<Situation>, StoreError> {
        let _turn = self.inner.turns.read().await;
        self.inner.records.situation(key).await
    }

    pub(super) async fn next_step(&self, situation: &Situation) -> Step {
        let instance = situation.instance.as_ref();
        let wanted = match self.want(situation) {
            Some(Want::Fill { .. }) => true,
            Some(Want::Keep) => instance.is_some(),
            None => false,
        };
        let sight = match instance {
            Some(instance) if wanted && instance.phase == Phase::Ready => self.observe(instance).await,
            _ => Sight::Unknown,
        };
        machine::next(wanted, instance, sight, self.terms(instance), self.inner.clock.now())
    }

    /// The present wish for the slot; `None` when it is to be empty.
    pub(super) fn want(&self, situation: &Situation) -> Option<Want> {
        let (owner, holding) = (&situation.key.owner, situation.holding.as_ref());
        self.wanted(owner, holding).remove(&situation.key.slot)
    }

    /// The present wishes of an owner for all of its slots.
    fn wanted(&self, owner: &Owner, holding: Option<&Holding>) -> BTreeMap<Slot, Want> {
        let (declared, now) = (self.declared(), self.inner.clock.now());
        let mut wanted = BTreeMap::new();
        for wants in &self.inner.wants {
            for (slot, want) in wants.slots(owner, holding, &declared, now) {
                // A wish to fill a slot takes precedence over a wish to keep it.
                match want {
                    Want::Keep => wanted.entry(slot).or_insert(want),
                    Want::Fill { .. } => wanted.entry(slot).insert_entry(want).into_mut(),
                };
            }
        }
        wanted
    }

    /// Wakes the workers of all slots that these owners want or have, and of these slots.
    pub(super) async fn dispatch(&self, notified: Notified) {
        notified.slots.into_iter().for_each(|key| self.wake(key));
        let owners: BTreeSet<Owner> = notified.owners.into_iter().collect();
        let mut owners = owners.into_iter();
        while let Some(owner) = owners.next() {
            let slots = match self.slots_of(&owner).await {
                Ok(slots) => slots,
                Err(fault) => {
                    if let Some(held_back) = self.inner.metrics.log_limit().admit("owner-without-store") {
                        let error = &fault as &dyn std::error::Error;
                        tracing::warn!(%owner, error, held_back, "the store did not answer");
                    }
                    // Nothing is lost: they are notified again once the store may be asked again.
                    self.inner.notifications.notify(owner);
                    owners.for_each(|owner| self.inner.notifications.notify(owner));
                    return tokio::time::sleep(STORE_PAUSE).await;
                }
            };
            slots
                .into_iter()
                .for_each(|slot| self.wake(SlotKey::new(owner.clone(), slot)));
        }
    }

    /// The slots that an owner wants or has.
    async fn slots_of(&self, owner: &Owner) -> Result<BTreeSet<Slot>, StoreError> {
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
        slots.extend(self.wanted(owner, holding.as_ref()).into_keys());
        Ok(slots)
    }

    /// The present terms of the instance, from its template. If the template is gone, there is no grace and no restart.
    ///
    /// An instance that has not answered this daemon yet is not restarted: otherwise a wrong port in the settings would
    /// restart all of them.
    pub(super) fn terms(&self, instance: Option<&Instance>) -> Terms {
        let declared = self.declared();
        let of = |instance: &Instance| {
            let template = &declared.template(&instance.template)?.settings;
            let ready = template.ready.filter(|_| self.inner.checks.answered(instance.id));
            Some(Terms {
                grace: template.grace,
                restarts: ready.map_or(0, |ready| ready.restarts),
            })
        };
        instance.and_then(of).unwrap_or_default()
    }

    async fn disturb(
        &self,
        instance: &Instance,
        what: String,
        attempts: u32,
        due: Timestamp,
    ) -> Result<(), StoreError> {
        tracing::warn!(instance = %instance.id, what, "disturbed");
        self.inner.metrics.instance_disturbed();
        let event = self.event(instance, EventKind::InstanceDisturbed, Some(what.clone()));
        let update = InstanceUpdate {
            attempts,
            ..self.update(instance, Phase::Pending, Some(what), Some(due))
        };
        self.inner
            .records
            .update_instance(instance.id, update, Some(event))
            .await?;
        self.inner.checks.pause(instance.id);
        Ok(())
    }

    async fn move_to(
        &self,
        instance: &Instance,
        phase: Phase,
        reason: Option<String>,
        due: Option<Timestamp>,
        kind: EventKind,
    ) -> Result<(), StoreError> {
        tracing::info!(instance = %instance.id, owner = %instance.owner, %phase, reason, "{kind}");
        let event = self.event(instance, kind, reason.clone());
        self.inner
            .records
            .update_instance(instance.id, self.update(instance, phase, reason, due), Some(event))
            .await
            .map(drop)
    }

    /// An update that keeps what the instance is and changes where it is on its way.
    pub(super) fn update(
        &self,
        instance: &Instance,
        phase: Phase,
        reason: Option<String>,
        due: Option<Timestamp>,
    ) -> InstanceUpdate {
        InstanceUpdate {
            phase,
            reason,
            attempts: instance.attempts,
            due,
            references: None,
            ready: instance.ready,
            at: self.inner.clock.now(),
        }
    }

    pub(super) fn event(&self, instance: &Instance, kind: EventKind, detail: Option<String>) -> NewEvent {
        NewEvent {
            detail,
            ..instance.event(self.inner.clock.now(), kind)
        }
    }
}
