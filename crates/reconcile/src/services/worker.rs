//! One service's worker: brings it one step nearer to what is wanted, again and again. The driver runs it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_model::{Owner, ServiceEndpoints, ServiceState, Slot, SlotKey};
use orchestrator_service::roll::{self, Wait};
use orchestrator_store::{ServiceSituation, StoreError};
use tokio::time::Instant;

use super::Services;
use super::clients::is_per_client;
use super::endpoints::{members, reached_by};
use super::moves::update_for;
use super::reading::Reading;
use crate::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use crate::instance::Wake;

/// The wait before a store is asked again that did not answer.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// The worker of a service.
struct Worker {
    services: Services,
    name: String,
    wake: Arc<Wake>,
}

/// What follows a step.
enum After {
    /// The next step.
    Again,
    /// Nothing until it is woken, or until then.
    Rest(Option<Instant>),
    /// The service is gone.
    Gone,
}

#[async_trait]
impl Reconciler for Worker {
    async fn reconcile(&mut self, run: &Run) -> Result<Next, Failure> {
        loop {
            self.wake.clear();
            let after = match self.services.step(&self.name, run).await {
                // Somebody changed the service meanwhile: what was decided for it before does not count.
                Err(StoreError::ServiceChanged { .. } | StoreError::NoSuchService(_)) => After::Again,
                after => after.map_err(|fault| Failure::of(&fault).about(&self.name))?,
            };
            match after {
                After::Again => {}
                After::Rest(None) => return Ok(Next::Wait),
                After::Rest(Some(at)) => return Ok(Next::At(at)),
                After::Gone if self.services.retire(&self.name, &self.wake) => return Ok(Next::Over),
                After::Gone => {}
            }
        }
    }

    async fn notified(&mut self) {
        self.wake.received().await;
    }
}

impl Services {
    /// Notifies the worker of a service, and starts one where there is none.
    pub(super) fn wake(&self, name: &str) {
        let mut workers = self.workers();
        if let Some(wake) = workers.get(name) {
            return wake.notify();
        }
        let wake = Arc::new(Wake::default());
        workers.insert(name.to_owned(), wake.clone());
        let purpose = "opens, drains and closes the slots of one service, and checks its instances";
        let registration = Registration::new("service", purpose)
            .about(name)
            .retrying(Backoff::constant(STORE_PAUSE));
        let worker = Worker {
            services: self.clone(),
            name: name.to_owned(),
            wake,
        };
        self.inner.driver.register(registration, worker);
    }

    /// Ends the worker, unless a notification is pending.
    fn retire(&self, name: &str, wake: &Wake) -> bool {
        let mut workers = self.workers();
        // Notifications are made under the same lock, so none can be lost between this check and the removal.
        let is_done = !wake.is_pending();
        if is_done {
            workers.remove(name);
            self.waiting().remove(name);
        }
        is_done
    }

    async fn step(&self, name: &str, run: &Run) -> Result<After, StoreError> {
        let Some(situation) = self.inner.records.service_situation(name).await? else {
            self.forget(name);
            return Ok(After::Gone);
        };
        let mut reading = Reading::new(situation, &self.inner.settings.get());
        reading.places = self.place(&reading);
        reading.held_up = self.held_up(&reading);
        self.show_unplaced(&reading);
        let replaced = self.replaced(&reading);
        if let Some((wanted, before)) = self.inner.board.put(&reading, replaced) {
            self.notify_slots(name, wanted.changed(before.as_ref()));
            if reading.situation.service.instances.is_none()
                && let Err(fault) = self.notify_clients(&reading, &wanted, before.as_ref()).await
            {
                self.inner.board.take_back(name, before);
                return Err(fault);
            }
        }
        // What is recorded is shown first: many slots take many updates.
        self.publish(&reading);
        if let Some(update) = self.observed(&reading) {
            self.inner.records.update_service(update).await?;
            return Ok(After::Again);
        }
        if self.is_over(&reading.situation).await? {
            self.forget(name);
            return Ok(After::Gone);
        }
        // One that is to be removed needs no version for that.
        if reading.target().is_none() && reading.situation.service.state == ServiceState::Active {
            run.set_detail("its version cannot be read by this program and these settings; deploy it anew");
            return Ok(After::Rest(None));
        }
        self.roll(&reading, run).await
    }

    /// Notifies the workers of these slots of a service, or of all that it wants or has.
    fn notify_slots(&self, name: &str, slots: Option<BTreeSet<Slot>>) {
        let owner = Owner::Service(name.to_owned());
        let Some(slots) = slots else {
            return self.inner.notifications.notify(owner);
        };
        for slot in slots {
            self.inner.notifications.notify_slot(SlotKey::new(owner.clone(), slot));
        }
    }

    async fn roll(&self, reading: &Reading, run: &Run) -> Result<After, StoreError> {
        let situation = &reading.situation;
        let is_active = situation.service.state == ServiceState::Active;
        if is_active && situation.slots.is_empty() && is_per_client(reading) {
            let (update, at) = self.roll_clients(reading);
            if let Some(update) = update {
                self.inner.records.update_service(update).await?;
                return Ok(After::Again);
            }
            run.set_detail(format!("version {}, per client", situation.service.version));
            let now = self.inner.clock.now();
            return Ok(After::Rest(at.map(|at| Instant::now() + at.since(now))));
        }
        let asked = self.roll_situation(reading);
        let moves = roll::next(&asked);
        let is_waiting = |wait: &Wait| {
            matches!(
                wait,
                Wait::Routed { .. } | Wait::Unrouted { .. } | Wait::Connections { .. }
            )
        };
        match moves.waits.iter().any(is_waiting) {
            true => self.waiting().insert(reading.name().to_owned()),
            false => self.waiting().remove(reading.name()),
        };
        let now = self.inner.clock.now();
        if let Some(update) = update_for(reading, &moves, now) {
            self.inner.records.update_service(update).await?;
            return Ok(After::Again);
        }
        run.set_detail(in_words(situation, &moves));
        let at = moves.wake.map(|wake| Instant::now() + wake.since(now));
        Ok(After::Rest(at))
    }

    pub(super) fn publish(&self, reading: &Reading) {
        let good = reading.situation.service.good_version;
        let good = || good.and_then(|good| reading.spec(good));
        let by = match reading.target().or_else(good) {
            Some(spec) => reached_by(spec),
            // How it was reached last is as good as it gets, and its instances are what they are.
            None => self.inner.publisher.shown(reading.name()),
        };
        let endpoints = ServiceEndpoints {
            members: members(reading),
            ..by
        };
        self.inner.publisher.put(reading.name(), endpoints);
    }

    /// Whether the service was being removed, and nothing of it is left.
    async fn is_over(&self, situation: &ServiceSituation) -> Result<bool, StoreError> {
        let is_over = situation.service.state == ServiceState::Removing
            && situation.slots.is_empty()
            && situation.instances.is_empty();
        if !is_over {
            return Ok(false);
        }
        let (name, now) = (&situation.service.name, self.inner.clock.now());
        self.inner.records.forget_service(name, now).await
    }

    fn forget(&self, name: &str) {
        self.inner.board.remove(name);
        self.turns().remove(name);
        self.unplaced().remove(name);
        self.inner.publisher.remove(name);
        self.inner.prober.keep(name, &BTreeSet::new());
    }
}

fn in_words(situation: &ServiceSituation, moves: &roll::Moves) -> String {
    let service = &situation.service;
    let slots = situation.slots.len();
    match (moves.settled, service.paused) {
        (_, Some(_)) => format!("version {}, paused, {slots} slots", service.version),
        (true, None) => format!("version {}, {slots} slots", service.version),
        (false, None) => format!(
            "version {}, {slots} slots, on its way: {:?}",
            service.version, moves.waits
        ),
    }
}
