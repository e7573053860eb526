//! Brings an instance to answer, and records what came of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant as Stopwatch};

use tokio::pin;

use super::Orchestrator;
use super::bring_up::Answering;
use super::failure::Failure;
use super::machine::{Retry, Step, retry};
use super::worker::Wake;
use orchestrator_model::{Container, EventKind, Instance, NewEvent, Phase};
use orchestrator_runtime::causes::with_causes;
use orchestrator_store::{InstanceUpdate, StoreError};

impl Orchestrator {
    /// Provisions, but gives up as soon as the situation of its slot asks for something else. `restart` is the number of
    /// the restart with which it begins, if it does.
    ///
    /// Whoever wakes the worker meanwhile may have news of the instance itself: it is looked at, too.
    /// Dropping the attempt half-way is safe: each of its steps may be repeated or undone later.
    pub(super) async fn provision_unless_woken(
        &self,
        instance: &Instance,
        restart: Option<u32>,
        wake: &Wake,
    ) -> Result<(), StoreError> {
        let (news, key) = (Wake::default(), instance.key());
        let attempt = self.provision(instance, restart, &news);
        pin!(attempt);
        loop {
            tokio::select! {
                outcome = &mut attempt => return outcome,
                () = wake.received() => {
                    let situation = self.inner.store.situation(&key).await?;
                    let same = situation.as_ref().and_then(|s| s.instance.as_ref()).is_some_and(|i| i.id == instance.id);
                    let go_on = match situation {
                        Some(situation) if same => {
                            matches!(self.next_step(&situation).await, Step::Provision | Step::Restart { .. })
                        }
                        _ => false,
                    };
                    if !go_on {
                        return Ok(());
                    }
                    news.notify();
                }
            }
        }
    }

    async fn provision(&self, instance: &Instance, restart: Option<u32>, news: &Wake) -> Result<(), StoreError> {
        let began = Stopwatch::now();
        // Why the last try failed is shown until one succeeds.
        let starting = self.update(instance, Phase::Starting, instance.reason.clone(), None);
        // What is wanted is recorded already; that work on it begins may be recorded while it does.
        let (recorded, outcome) = tokio::join!(
            self.inner
                .store
                .update_instance(instance.id, starting, restart.map(|nth| self.restarted(instance, nth))),
            self.bring_up(instance, restart.is_some(), news)
        );
        if !recorded? {
            return Ok(());
        }
        match outcome {
            Ok(answering) => self.record_ready(instance, answering, began.elapsed()).await,
            Err(failure) => self.record_failure(instance, failure).await,
        }
    }

    fn restarted(&self, instance: &Instance, nth: u32) -> NewEvent {
        let of = self.terms(Some(instance)).restarts;
        tracing::warn!(instance = %instance.id, owner = %instance.owner, nth, of, "restarting: it stopped answering");
        self.inner.metrics.instance_restarted();
        let detail = format!("restart {nth} of {of}: it stopped answering");
        self.event(instance, EventKind::InstanceRestarted, Some(detail))
    }

    async fn record_ready(&self, instance: &Instance, answering: Answering, took: Duration) -> Result<(), StoreError> {
        let now = self.inner.clock.now();
        tracing::info!(instance = %instance.id, address = instance.address().map(tracing::field::display), took_ms = took.as_millis(), "ready");
        self.inner.metrics.instance_ready(took);
        let update = InstanceUpdate {
            references: Some(BTreeMap::from([(Container::MAIN.to_owned(), answering.reference)])),
            ready: instance.ready.or(Some(now)),
            ..self.update(instance, Phase::Ready, None, None)
        };
        let detail = Some(format!("{} ms after its provisioning began", took.as_millis()));
        let event = self.event(instance, EventKind::InstanceReady, detail);
        self.inner
            .store
            .update_instance(instance.id, update, Some(event))
            .await?;
        if let Some(subject) = self.subject(instance, Some(&answering.netns)) {
            self.inner.checks.begin(instance.id, subject);
        }
        Ok(())
    }

    async fn record_failure(&self, instance: &Instance, failure: Failure) -> Result<(), StoreError> {
        let text = with_causes(&failure);
        self.inner.metrics.provision_failed(failure.code());
        let Retry { phase, attempts, due } = retry(instance, failure.shortfall(), self.inner.clock.now());
        let update = InstanceUpdate {
            attempts,
            ..self.update(instance, phase, Some(text.clone()), Some(due))
        };
        // The timeline says it once; the instance says it for as long as it is so.
        let news = instance.reason.as_deref() != Some(text.as_str());
        if news {
            tracing::warn!(instance = %instance.id, owner = %instance.owner, code = failure.code(), reason = text, "not ready");
        }
        let event = news.then(|| self.event(instance, EventKind::InstanceFailed, Some(text)));
        self.inner
            .store
            .update_instance(instance.id, update, event)
            .await
            .map(drop)
    }
}
