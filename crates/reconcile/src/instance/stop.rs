//! Stops an instance that is kept.

use orchestrator_host::HostError;

use super::Orchestrator;
use super::machine::wait_after;
use super::request::removal_plan;
use super::turns::Work;
use orchestrator_model::{EventKind, Instance, Phase};
use orchestrator_runtime::causes::with_causes;
use orchestrator_store::{InstanceUpdate, StoreError};

impl Orchestrator {
    /// Stops the containers of an instance and takes down its wiring. Its files are kept.
    pub(super) async fn stop(&self, instance: &Instance) -> Result<(), StoreError> {
        self.inner.checks.forget(instance.id);
        self.inner.pauses.over(instance.id);
        let Err(fault) = self.stop_on_host(instance).await else {
            tracing::info!(instance = %instance.id, owner = %instance.owner, "stopped");
            let update = self.update(instance, Phase::Stopped, instance.reason.clone(), None);
            let event = self.event(instance, EventKind::InstanceStopped, instance.reason.clone());
            let recorded = self.inner.records.update_instance(instance.id, update, Some(event));
            return recorded.await.map(drop);
        };
        let attempts = instance.attempts.saturating_add(1);
        if let Some(held_back) = self.inner.metrics.log_limit().admit("not-stopped") {
            let reason = with_causes(&fault);
            tracing::warn!(instance = %instance.id, reason, attempts, held_back, "not yet stopped");
        }
        self.inner.metrics.removal_failed(fault.code());
        let due = self.inner.clock.now().plus(wait_after(attempts));
        let update = InstanceUpdate {
            attempts,
            ..self.update(instance, Phase::Stopped, instance.reason.clone(), Some(due))
        };
        let recorded = self.inner.records.update_instance(instance.id, update, None);
        recorded.await.map(drop)
    }

    /// Records that an instance is to be stopped because somebody switched it off.
    pub(super) async fn switch_off(&self, instance: &Instance) -> Result<(), StoreError> {
        tracing::info!(instance = %instance.id, owner = %instance.owner, "it is switched off");
        let reason = Some("switched off by hand; `orchestrator on` starts it again".to_owned());
        let update = InstanceUpdate {
            attempts: 0,
            kept_until: None,
            ..self.update(instance, Phase::Stopped, reason, Some(self.inner.clock.now()))
        };
        let recorded = self.inner.records.update_instance(instance.id, update, None);
        recorded.await.map(drop)
    }

    /// Has an instance stopped again that somebody started by hand.
    pub(super) async fn stop_again(&self, instance: &Instance) {
        tracing::warn!(instance = %instance.id, "it was started behind our back; it is stopped again");
        let now = self.inner.clock.now();
        let update = self.update(instance, Phase::Stopped, instance.reason.clone(), Some(now));
        // The next pass finds it again if this fails.
        let recorded = self.inner.records.update_instance(instance.id, update, None).await;
        if matches!(recorded, Ok(true)) {
            self.wake(instance.key());
        }
    }

    async fn stop_on_host(&self, instance: &Instance) -> Result<(), HostError> {
        let Some(host) = self.host_of(instance) else {
            // Nothing can be asked of a host that is not known. When the instance is wanted again, its host is needed.
            return Ok(());
        };
        let turns = &self.inner.turns;
        let _turn = turns
            .take(instance.host.as_ref(), instance.engine(), Work::Remove)
            .await;
        host.stop(&removal_plan(instance)).await
    }
}
