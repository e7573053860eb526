//! One client's worker: takes the next step until there is none.

use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::machine::{self, Sight, Step, Terms};
use super::{HashMap, Orchestrator};
use orchestrator_model::{ClientId, EventKind, Instance, NewEvent, Phase, Timestamp};
use orchestrator_store::{InstanceUpdate, Situation, StoreError};

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

    /// Takes a ring that nobody waits for.
    pub(super) fn clear(&self) {
        self.pending.store(false, Ordering::Release);
    }

    /// Waits for a ring and takes it.
    pub(super) async fn received(&self) {
        while !self.pending.swap(false, Ordering::AcqRel) {
            self.wake.notified().await;
        }
    }
}

/// What a worker does after a look.
enum Next {
    /// Look again: a step was taken.
    Again,
    /// Nothing to do until it is woken, or until then.
    Rest(Option<Timestamp>),
}

impl Orchestrator {
    /// Has the client's worker look, and makes one where there is none.
    pub(super) fn wake(&self, client: ClientId) {
        match self.workers().entry(client) {
            Entry::Occupied(worker) => worker.get().notify(),
            Entry::Vacant(place) => {
                let wake = Arc::new(Wake::default());
                place.insert(wake.clone());
                self.inner.tasks.spawn(self.clone().work(client, wake));
            }
        }
    }

    fn workers(&self) -> MutexGuard<'_, HashMap<ClientId, Arc<Wake>>> {
        self.inner.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work(self, client: ClientId, wake: Arc<Wake>) {
        let stop = self.inner.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.work_until_done(client, &wake) => {}
        }
    }

    async fn work_until_done(&self, client: ClientId, wake: &Wake) {
        loop {
            wake.clear();
            let pause = match self.take_turn(client, wake).await {
                Ok(Next::Again) => continue,
                Ok(Next::Rest(None)) => {
                    if self.retire(client, wake) {
                        return;
                    }
                    continue;
                }
                Ok(Next::Rest(Some(until))) => until.since(self.inner.clock.now()),
                Err(fault) => {
                    if let Some(held_back) = self.inner.metrics.log_limit().admit("worker-without-store") {
                        let error = &fault as &dyn std::error::Error;
                        tracing::warn!(%client, error, held_back, "the store did not answer");
                    }
                    STORE_PAUSE
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = wake.received() => {}
            }
        }
    }

    /// Ends the worker, unless it was rung since it looked.
    fn retire(&self, client: ClientId, wake: &Wake) -> bool {
        let mut workers = self.workers();
        // Rings are made under the same lock: none can fall between this look and the removal.
        let done = !wake.pending.load(Ordering::Acquire);
        if done {
            workers.remove(&client);
        }
        done
    }

    async fn take_turn(&self, client: ClientId, wake: &Wake) -> Result<Next, StoreError> {
        let _turn = self.inner.turns.acquire().await;
        let Some(situation) = self.inner.store.situation(client).await? else {
            return Ok(Next::Rest(None));
        };
        let instance = situation.instance.as_ref();
        let step = self.next_step(&situation).await;
        tracing::debug!(%client, instance = ?instance.map(|i| i.id), ?step, "next step");
        match (step, instance) {
            (Step::Rest, _) => return Ok(Next::Rest(None)),
            (Step::RestUntil(until), _) => return Ok(Next::Rest(Some(until))),
            (Step::Plan, _) => {
                return self.plan(&situation).await.map(|planned| match planned {
                    Ok(()) => Next::Again,
                    Err(retry) => Next::Rest(Some(retry)),
                });
            }
            (Step::Provision, Some(instance)) => self.provision_unless_woken(client, instance, None, wake).await?,
            (Step::Restart { nth }, Some(instance)) => {
                self.provision_unless_woken(client, instance, Some(nth), wake).await?;
            }
            (Step::Disturb { what, attempts, due }, Some(instance)) => {
                self.disturb(instance, what, attempts, due).await?;
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
            // Back from its grace it is looked at as if it had just been started: it may have ended meanwhile.
            (Step::Keep, Some(instance)) => {
                self.move_to(instance, Phase::Pending, None, None, EventKind::InstanceKept)
                    .await?;
            }
            (Step::Condemn, Some(instance)) => {
                let reason = Some("the client's lease ended".to_owned());
                self.inner
                    .store
                    .update_instance(instance.id, self.update(instance, Phase::Removing, reason, None), None)
                    .await?;
            }
            (Step::Remove, Some(instance)) => self.remove(instance).await?,
            // The machine takes steps on an instance only where there is one.
            (_, None) => return Ok(Next::Rest(None)),
        }
        Ok(Next::Again)
    }

    pub(super) async fn next_step(&self, situation: &Situation) -> Step {
        let wanted = self.wanted(situation);
        let instance = situation.instance.as_ref();
        let sight = match instance {
            Some(instance) if wanted && instance.phase == Phase::Ready => self.look(instance).await,
            _ => Sight::Unknown,
        };
        machine::next(wanted, instance, sight, self.terms(instance), self.inner.clock.now())
    }

    /// Whether the client is to have an instance now.
    ///
    /// On a link that is no longer in the settings nobody gets one any more, and who has one keeps it while its lease
    /// lasts.
    fn wanted(&self, situation: &Situation) -> bool {
        let now = self.inner.clock.now();
        let settings = self.settings();
        let (link, class) = (&situation.client.link, situation.client.class.as_deref());
        let holds = situation.active_leases.iter().any(|lease| lease.valid_until > now);
        let provided = match settings.link(link) {
            Some(_) => settings.template_of(link, class).is_some(),
            None => situation.instance.is_some(),
        };
        situation.client.wants_instance && holds && provided
    }

    /// What the template of the instance says of its life now; of one that is gone, no grace and no restart.
    ///
    /// An instance that this daemon has not seen answer is not restarted: a wrong port in the settings would restart
    /// all of them.
    pub(super) fn terms(&self, instance: Option<&Instance>) -> Terms {
        let settings = self.settings();
        let of = |instance: &Instance| {
            let template = settings.templates.get(&instance.template)?;
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
            .store
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
        tracing::info!(instance = %instance.id, client = %instance.client, %phase, reason, "{kind}");
        let event = self.event(instance, kind, reason.clone());
        self.inner
            .store
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
            reference: instance.reference.clone(),
            ready: instance.ready,
            at: self.inner.clock.now(),
        }
    }

    pub(super) fn event(&self, instance: &Instance, kind: EventKind, detail: Option<String>) -> NewEvent {
        NewEvent {
            at: self.inner.clock.now(),
            kind,
            link: Some(instance.link.clone()),
            client: Some(instance.client),
            instance: Some(instance.id),
            leased: Some(instance.address.into()),
            detail,
        }
    }
}
