//! Connects admission with the reconciler: asks for places, gives them back, and wakes who got one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_catalog::{Declared, Template, View};
use orchestrator_model::{
    EventKind, HostId, InstanceId, LimitsView, NewEvent, Owner, Pause, PauseScope, Share, Slot, SlotKey, Timestamp,
    WaitingView,
};
use orchestrator_store::{Promise, Situation, StoreError};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::block::Refusal;
use super::claim::{Claim, Size};
use super::limits::Limits;
use super::queue::Request;
use super::recent::WINDOW;
use super::{Admission, Answer, Effects};
use crate::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use crate::instance::Orchestrator;
use crate::instance::plan::share_of;

/// The wait before places are looked for again by themselves, at least. Many may become free within a moment.
const PAUSE: Duration = Duration::from_millis(100);

/// What is promised and who waits, behind a lock that is held for moments only.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    admission: Admission,
    limits: Arc<Limits>,
    /// What the limits were read from.
    declared: Option<Arc<Declared>>,
    paused: Vec<Pause>,
}

/// Whether an instance may be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may.
    Granted,
    /// Not now. Its worker is woken when it has a place.
    Later,
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Orchestrator {
    /// Does something with what is promised, by the limits in force.
    pub(super) fn with_admission<T>(&self, act: impl FnOnce(&mut Admission, &Limits, Timestamp) -> T) -> T {
        let (declared, now) = (self.declared(), self.inner.clock.now());
        let mut state = self.inner.admission.state();
        if !state
            .declared
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, &declared))
        {
            self.follow_limits(&mut state, declared);
        }
        let limits = state.limits.clone();
        let done = act(&mut state.admission, &limits, now);
        if !state.admission.held_up.is_empty() {
            self.inner.admission.changed.notify_one();
        }
        for service in std::mem::take(&mut state.admission.reworded) {
            self.inner.notifications.notify_service(service);
        }
        done
    }

    /// Reads the limits anew.
    fn follow_limits(&self, state: &mut State, declared: Arc<Declared>) {
        let machines = self.inner.hosts.iter().map(|(id, host)| (id.clone(), host.capacity()));
        let paused = state.paused.iter().map(|pause| pause.scope.clone()).collect();
        let limits = Limits::of(&declared, machines, paused);
        state.declared = Some(declared);
        if limits != *state.limits {
            state.limits = Arc::new(limits);
            state.admission.limits_changed();
        }
    }

    /// Asks whether a slot may be filled now. If not, that is in the timeline, once.
    pub(crate) async fn ask_for_place(
        &self,
        situation: &Situation,
        template: &Template,
        network: &str,
        host: &HostId,
    ) -> Result<Verdict, StoreError> {
        let now = self.inner.clock.now();
        let mut share = share_of(situation);
        network.clone_into(&mut share.link);
        let request = Request {
            key: situation.key.clone(),
            claim: Claim {
                host: host.clone(),
                engine: template.settings.engine.clone(),
                template: template.name.clone(),
                owner: situation.key.owner.clone(),
                share,
                size: Size::of_template(&template.settings),
            },
            since: situation
                .holding
                .as_ref()
                .and_then(|holding| holding.since())
                .unwrap_or(now),
        };
        let (answer, effects) = self.with_admission(|admission, limits, now| admission.ask(request, limits, now));
        self.follow(effects).await?;
        match answer {
            Answer::Granted => Ok(Verdict::Granted),
            Answer::Waits(block) => {
                self.inner.admission.changed.notify_one();
                if block.is_limit() {
                    self.inner.metrics.instance_waits(block.code());
                    let detail = format!("waits: {block}");
                    self.report_place(&situation.key, network, EventKind::InstanceWaiting, detail)
                        .await?;
                }
                Ok(Verdict::Later)
            }
            Answer::Refused(refusal) => {
                self.report_refused(&situation.key, network, &refusal).await?;
                Ok(Verdict::Later)
            }
        }
    }

    /// Wakes who got a place, and reports who lost one.
    async fn follow(&self, effects: Effects) -> Result<(), StoreError> {
        effects.granted.into_iter().for_each(|key| self.wake(key));
        if let Some(Request { key, claim, .. }) = effects.displaced {
            let most = self.inner.admission.state().limits.queue;
            self.report_refused(&key, &claim.share.link, &Refusal::QueueFull { most })
                .await?;
        }
        Ok(())
    }

    async fn report_refused(&self, key: &SlotKey, link: &str, refusal: &Refusal) -> Result<(), StoreError> {
        self.inner.metrics.instance_refused(refusal.code());
        self.report_place(key, link, EventKind::Refused, refusal.to_string())
            .await
    }

    /// Reports in the timeline of a client that it waits or is refused: once, until it has an instance.
    async fn report_place(&self, key: &SlotKey, link: &str, kind: EventKind, detail: String) -> Result<(), StoreError> {
        if !self.reported_full().insert(key.clone()) {
            return Ok(());
        }
        if let Some(held_back) = self.inner.metrics.log_limit().admit("no-place") {
            tracing::info!(of = %key, detail, held_back, "no instance yet");
        }
        let event = NewEvent {
            link: Some(link.to_owned()),
            client: key.owner.client(),
            service: key.owner.service_in(&key.slot).map(str::to_owned),
            detail: Some(detail),
            ..NewEvent::new(self.inner.clock.now(), kind)
        };
        self.inner.records.append_event(event).await
    }

    /// The instance of a slot that has a place is recorded. `doubt` is set if nobody knows whether it is.
    pub(crate) fn place_taken(&self, key: &SlotKey, id: InstanceId, doubt: bool) {
        self.with_admission(|admission, _, now| admission.recorded(key, id, now, doubt));
    }

    /// The instance of a slot needs its engine no more: it is up, failed, or is not made after all.
    pub(crate) fn leave_engine(&self, key: &SlotKey) {
        let granted = self.with_admission(|admission, limits, now| {
            admission.over(key);
            admission.admit(limits, now)
        });
        self.wake_granted(granted);
    }

    /// An instance is removed: its place is free at once.
    pub(crate) fn place_free(&self, id: InstanceId) {
        let granted = self.with_admission(|admission, limits, now| {
            admission.removed(id);
            admission.admit(limits, now)
        });
        self.wake_granted(granted);
    }

    fn wake_granted(&self, granted: Vec<SlotKey>) {
        granted.into_iter().for_each(|key| self.wake(key));
    }

    /// What an owner does not want any more waits no longer.
    pub(crate) fn keep_waiting_only(&self, owner: &Owner, wanted: impl Fn(&SlotKey) -> bool) {
        self.with_admission(|admission, _, _| admission.keep_only(owner, &wanted));
        let mut reported = self.reported_full();
        let own = reported.range(SlotKey::new(owner.clone(), Slot::new(""))..);
        let own = own.map_while(|key| (key.owner == *owner).then_some(key));
        let gone: Vec<SlotKey> = own.filter(|key| !wanted(key)).cloned().collect();
        for key in gone {
            reported.remove(&key);
        }
    }

    /// A slot that is not to be filled any more waits no longer.
    pub(crate) fn stop_waiting(&self, key: &SlotKey) {
        self.with_admission(|admission, _, _| admission.leave(key));
        self.reported_full().remove(key);
    }

    /// Reads what is promised and paused. Nothing of it is lost that happens meanwhile.
    pub(crate) async fn read_promises(&self) -> Result<Vec<Promise>, StoreError> {
        let now = self.inner.clock.now();
        self.with_admission(|admission, _, _| admission.begin_reading());
        let promises = self.inner.records.promises(now.minus(WINDOW)).await?;
        let paused = self.inner.records.pauses().await?;
        self.follow_pauses(paused);
        Ok(promises)
    }

    /// Compares what waits with what is recorded, and gives places.
    pub(crate) fn take_in_promises(&self, promises: &[Promise], wanted: Vec<(SlotKey, Share, Timestamp)>) {
        let declared = self.declared();
        let request = |(key, share, since): (SlotKey, Share, Timestamp)| {
            let template = declared.template(key.slot.as_str())?;
            let claim = Claim {
                host: HostId::local(),
                engine: template.settings.engine.clone(),
                template: template.name.clone(),
                owner: key.owner.clone(),
                share,
                size: Size::of_template(&template.settings),
            };
            Some(Request { key, claim, since })
        };
        let requests = wanted.into_iter().filter_map(request).collect();
        let (refused, granted) = self.with_admission(|admission, limits, now| {
            let refused = admission.finish_reading(promises, requests, limits, now);
            (refused, admission.admit(limits, now))
        });
        if refused > 0 {
            tracing::debug!(refused, "the queue for instances is full");
        }
        self.wake_granted(granted);
        self.inner.admission.changed.notify_one();
    }

    /// Has no new instance made in this scope until [`resume`](Self::resume). Returns `false` if that is so already.
    ///
    /// # Errors
    ///
    /// When the store is away.
    pub async fn pause(&self, scope: PauseScope, by: Option<String>) -> Result<bool, StoreError> {
        let since = self.inner.clock.now();
        let is_new = self.inner.records.pause(Pause { scope, since, by }).await?;
        self.follow_pauses(self.inner.records.pauses().await?);
        Ok(is_new)
    }

    /// Ends a pause. Returns `false` if there is none of this scope.
    ///
    /// # Errors
    ///
    /// When the store is away.
    pub async fn resume(&self, scope: PauseScope, by: Option<String>) -> Result<bool, StoreError> {
        let ended = self.inner.records.resume(scope, self.inner.clock.now(), by).await?;
        self.follow_pauses(self.inner.records.pauses().await?);
        Ok(ended)
    }

    /// What is promised, of what, and what is paused.
    pub fn limits(&self) -> LimitsView {
        let (declared, paused) = (self.declared(), self.inner.admission.state().paused.clone());
        self.with_admission(|admission, limits, _| admission.view(&declared, limits, paused))
    }

    /// All that wait for a place, in the order of their turns.
    pub fn waiting(&self) -> Vec<WaitingView> {
        self.with_admission(|admission, _, now| admission.waiting(now))
    }

    fn follow_pauses(&self, paused: Vec<Pause>) {
        let declared = self.declared();
        {
            let mut state = self.inner.admission.state();
            state.paused = paused;
            self.follow_limits(&mut state, declared);
        }
        self.inner.admission.changed.notify_one();
    }

    /// Gives places as they become free by time or by other limits, until the daemon stops.
    pub(crate) fn register_admission(&self) {
        let purpose = "gives places to instances that wait for a limit";
        let registration = Registration::new("places", purpose).retrying(Backoff::constant(PAUSE));
        let places = Places {
            orchestrator: self.clone(),
            catalog: self.inner.catalog.clone(),
        };
        self.inner.driver.register(registration, places);
    }

    /// Reports those that came to wait for a limit while they waited for their turn.
    async fn report_held_up(&self) -> Result<(), StoreError> {
        for (key, block) in self.with_admission(|admission, _, _| admission.take_held_up()) {
            let link = self.with_admission(|admission, _, _| admission.link_of(&key));
            let Some(link) = link else { continue };
            self.inner.metrics.instance_waits(block.code());
            let detail = format!("waits: {block}");
            self.report_place(&key, &link, EventKind::InstanceWaiting, detail)
                .await?;
        }
        Ok(())
    }

    fn give_places(&self) -> (usize, Option<Timestamp>) {
        let (granted, waiting, due) = self.with_admission(|admission, limits, now| {
            let granted = admission.admit(limits, now);
            (granted, admission.queue.len(), admission.next_due())
        });
        self.wake_granted(granted);
        self.inner.metrics.set_instances_waiting(waiting);
        (waiting, due)
    }
}

/// Gives places.
struct Places {
    orchestrator: Orchestrator,
    catalog: View,
}

#[async_trait]
impl Reconciler for Places {
    async fn reconcile(&mut self, run: &Run) -> Result<Next, Failure> {
        let (waiting, due) = self.orchestrator.give_places();
        let told = self.orchestrator.report_held_up().await;
        told.map_err(|fault| Failure::of(&fault))?;
        run.set_detail(match waiting {
            0 => "nothing waits".to_owned(),
            waiting => format!("{waiting} wait"),
        });
        let now = self.orchestrator.inner.clock.now();
        let at = |due: Timestamp| Next::At(Instant::now() + due.since(now).max(PAUSE));
        Ok(due.map_or(Next::Wait, at))
    }

    async fn notified(&mut self) {
        tokio::select! {
            () = self.orchestrator.inner.admission.changed.notified() => {}
            // There may be other limits.
            _ = self.catalog.changed() => {}
        }
    }
}
