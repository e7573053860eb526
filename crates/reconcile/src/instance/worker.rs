//! One slot's worker: takes the next step until there is none. The driver runs it.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::machine::{self, Observed, Step, Terms};
use super::plan::Planned;
use super::wants::Want;
use super::{HashMap, Orchestrator};
use crate::driver::{self, Backoff, Failure, Reconciler, Registration, Run};
use orchestrator_model::{
    EventKind, Instance, InstanceId, NewEvent, Owner, Phase, Slot, SlotKey, TimeChange, Timestamp,
};
use orchestrator_store::{Holding, InstanceUpdate, Situation, StoreError};

/// How long a worker waits before it asks a store again that did not answer.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Instances that fail are shown among the tasks up to this number.
pub(super) const SHOWN: usize = 64;

/// How a worker is woken.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    pending: AtomicBool,
    wake: Notify,
}

impl Wake {
    pub(crate) fn notify(&self) {
        self.pending.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Discards a pending notification.
    pub(crate) fn clear(&self) {
        self.pending.store(false, Ordering::Release);
    }

    /// Whether a notification is pending.
    pub(crate) fn is_pending(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }

    /// Waits for a notification and takes it.
    pub(crate) async fn received(&self) {
        while !self.pending.swap(false, Ordering::AcqRel) {
            self.wake.notified().await;
        }
    }
}

/// What a worker does after a step.
enum Next {
    /// Take the next step at once.
    Again,
    /// Take the next step at once, in this situation: the last step recorded it. Notifications stay pending.
    In(Box<Situation>),
    /// Nothing to do until it is woken.
    Rest,
    /// Nothing to do until it is woken, or until then.
    RestUntil(Timestamp),
    /// The instance failed. The next try is due then.
    Retry(Retry),
}

/// What is recorded of an instance that waits for another try.
struct Retry {
    instance: InstanceId,
    reason: String,
    failures: u32,
    due: Timestamp,
}

/// The worker of a slot.
struct Worker {
    orchestrator: Orchestrator,
    key: SlotKey,
    wake: Arc<Wake>,
    /// The situation that it was started in. It is of use only until the first notification.
    begun: Option<Box<Situation>>,
}

#[async_trait]
impl Reconciler for Worker {
    async fn reconcile(&mut self, _: &Run) -> Result<driver::Next, Failure> {
        let Self {
            orchestrator,
            key,
            wake,
            begun,
        } = self;
        let at = |moment: Timestamp| Instant::now() + moment.since(orchestrator.inner.clock.now());
        let mut known = begun.take().filter(|_| !wake.is_pending());
        loop {
            let next = match known.take() {
                Some(situation) => orchestrator.take_step(*situation, wake).await,
                None => orchestrator.look_and_step(key, wake).await,
            };
            if !matches!(next, Ok(Next::Again | Next::In(_))) {
                orchestrator.leave_engine(key);
            }
            match next {
                Ok(Next::Again) => {}
                Ok(Next::In(situation)) => known = Some(situation),
                Ok(Next::Rest) => {
                    if orchestrator.retire(key, wake) {
                        return Ok(driver::Next::Over);
                    }
                }
                Ok(Next::RestUntil(until)) => return Ok(driver::Next::At(at(until))),
                Ok(Next::Retry(retry)) => {
                    let failure = Failure::from(retry.reason).about(retry.instance);
                    return Err(failure.recorded(retry.failures, at(retry.due)));
                }
                Err(fault) => {
                    if let Some(held_back) = orchestrator.inner.metrics.log_limit().admit("worker-without-store") {
                        let error = &fault as &dyn std::error::Error;
                        tracing::warn!(of = %key, error, held_back, "the store did not answer");
                    }
                    return Err(Failure::of(&fault).about(&*key));
                }
            }
        }
    }

    async fn notified(&mut self) {
        self.wake.received().await;
    }
}

/// The reason of an instance that is removed because nobody wants it any more.
fn reason_of_removal(instance: &Instance) -> &'static str {
    let why = match instance.owner {
        Owner::Client(_) => "the client's lease ended",
        Owner::Service(_) | Owner::Pool(_) | Owner::Operator(_) => "its slot is closed",
    };
    instance.times.expired.map_or(why, |expiry| expiry.sentence())
}

/// Why the grace period of an instance begins.
fn reason_of_grace(instance: &Instance, until: Timestamp) -> String {
    match instance.owner {
        Owner::Client(_) => format!("the client's lease ended; removed at {until} unless the client returns"),
        Owner::Service(_) | Owner::Pool(_) | Owner::Operator(_) => format!("its slot is closed; removed at {until}"),
    }
}

/// Rests until then. An instance that is tried again has failed; one in its grace has not.
fn rest_until(until: Timestamp, instance: Option<&Instance>) -> Next {
    match instance {
        Some(instance) if instance.is_tried_again() => Next::Retry(Retry {
            instance: instance.id,
            reason: instance.reason.clone().unwrap_or_default(),
            failures: instance.attempts,
            due: until,
        }),
        _ => Next::RestUntil(until),
    }
}

/// The wish that counts of two for one slot: one to fill it takes precedence over one to keep it, and the later one over the
/// earlier.
fn stronger(before: Option<Want>, want: Want) -> Want {
    match (before, want) {
        (Some(before), Want::Keep) => before,
        (_, want) => want,
    }
}

impl Orchestrator {
    /// Notifies the slot's worker, and starts one where there is none.
    pub(super) fn wake(&self, key: SlotKey) {
        self.wake_or_start(key, None);
    }

    /// The same where the situation of the slot has just been read: a worker that is started need not look again.
    pub(super) fn wake_in(&self, situation: Situation) {
        self.wake_or_start(situation.key.clone(), Some(Box::new(situation)));
    }

    fn wake_or_start(&self, key: SlotKey, begun: Option<Box<Situation>>) {
        match self.workers().entry(key) {
            Entry::Occupied(worker) => worker.get().notify(),
            Entry::Vacant(place) => {
                let wake = Arc::new(Wake::default());
                let key = place.key().clone();
                place.insert(wake.clone());
                let registration = Registration::new("instance", "brings one instance to what it should be")
                    .retrying(Backoff::constant(STORE_PAUSE))
                    .shown_while_failing(&self.inner.failing)
                    .having_condition();
                let worker = Worker {
                    orchestrator: self.clone(),
                    key,
                    wake,
                    begun,
                };
                self.inner.driver.register(registration, worker);
            }
        }
    }

    fn workers(&self) -> MutexGuard<'_, HashMap<SlotKey, Arc<Wake>>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.inner.workers.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Takes the next step in the situation that is on record. That covers all notifications so far.
    async fn look_and_step(&self, key: &SlotKey, wake: &Wake) -> Result<Next, StoreError> {
        wake.clear();
        match self.situation(key).await? {
            Some(situation) => self.take_step(situation, wake).await,
            None => {
                self.stop_waiting(key);
                Ok(Next::Rest)
            }
        }
    }

    async fn take_step(&self, situation: Situation, wake: &Wake) -> Result<Next, StoreError> {
        let key = &situation.key;
        let instance = situation.instance.as_ref();
        let step = self.next_step(&situation).await;
        tracing::debug!(of = %key, instance = ?instance.map(|i| i.id), ?step, "next step");
        match (step, instance) {
            (Step::Rest, Some(_)) => return Ok(Next::Rest),
            // It is empty, and nothing is wanted in it.
            (Step::Rest, None) => {
                self.stop_waiting(key);
                return Ok(Next::Rest);
            }
            (Step::RestUntil(until), instance) => return Ok(rest_until(until, instance)),
            (Step::Plan, _) => {
                return self.plan(&situation).await.map(|planned| match planned {
                    Planned::Recorded(situation) => Next::In(situation),
                    Planned::Done => Next::Again,
                    Planned::Later(retry) => Next::RestUntil(retry),
                    Planned::NoPlace => Next::Rest,
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
                let reason = reason_of_grace(instance, until);
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
            (Step::SwitchOff, Some(instance)) => self.switch_off(instance).await?,
            (Step::BeginKeep(until), Some(instance)) => self.begin_keep(instance, until).await?,
            (Step::Stop, Some(instance)) => self.stop(instance).await?,
            (Step::Expire(expiry), Some(instance)) => self.expire(instance, expiry).await?,
            (Step::Warn(at), Some(instance)) => self.change_time(instance, TimeChange::Warn(at)).await?,
            (Step::MarkForRemoval, Some(instance)) => {
                let reason = Some(reason_of_removal(instance).to_owned());
                self.inner
                    .records
                    .update_instance(instance.id, self.update(instance, Phase::Removing, reason, None), None)
                    .await?;
            }
            (Step::Remove, Some(instance)) => self.remove(instance).await?,
            // The machine takes steps on an instance only where there is one.
            (_, None) => return Ok(Next::Rest),
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
            Some(Want::Keep) => instance.is_some_and(|instance| !self.is_spent(situation, instance)),
            None => false,
        };
        let pinned = instance.is_some_and(|instance| instance.times.pinned.is_some());
        let observed = match instance {
            Some(instance) if (wanted || pinned) && instance.phase == Phase::Ready => self.observe(instance).await,
            _ => Observed::Unknown,
        };
        machine::next(wanted, instance, observed, self.terms(instance), self.inner.clock.now())
    }

    /// The present wish for the slot; `None` when it is to be empty.
    pub(super) fn want(&self, situation: &Situation) -> Option<Want> {
        let (declared, now) = (self.declared(), self.inner.clock.now());
        let (key, holding) = (&situation.key, situation.holding.as_ref());
        let all = self.inner.wants.iter();
        let wanted = all.filter_map(|wants| wants.slot(&key.owner, &key.slot, holding, &declared, now));
        wanted.fold(None, |before, want| Some(stronger(before, want)))
    }

    /// The present wishes of an owner for all of its slots.
    pub(super) fn wanted(&self, owner: &Owner, holding: Option<&Holding>) -> BTreeMap<Slot, Want> {
        let (declared, now) = (self.declared(), self.inner.clock.now());
        let mut wanted = BTreeMap::new();
        for wants in &self.inner.wants {
            for (slot, want) in wants.slots(owner, holding, &declared, now) {
                let before = wanted.remove(&slot);
                wanted.insert(slot, stronger(before, want));
            }
        }
        wanted
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
                grace: template.time.grace,
                keep: template.time.keep,
                warn: template.time.warn,
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
            kept_until: instance.times.kept_until.filter(|_| phase == Phase::Stopped),
            reset: None,
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
