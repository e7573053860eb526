//! Takes an instance out of the world.

use orchestrator_host::{Cause, HostError};

use super::Orchestrator;
use super::failure::Failure;
use super::machine::wait_after;
use super::request::removal_plan;
use super::turns::Work;
use orchestrator_model::{EventKind, Instance, Phase};
use orchestrator_runtime::causes::with_causes;
use orchestrator_store::{InstanceUpdate, StoreError};

impl Orchestrator {
    /// Removes everything that was made for the instance. Each piece is tried even if another failed.
    pub(super) async fn remove(&self, instance: &Instance) -> Result<(), StoreError> {
        // What one that was never ready wrote was recorded with its failure.
        if instance.ready.is_some() {
            self.record_last_words(instance).await?;
        }
        let faults = self.take_down(instance).await;
        if faults.is_empty() {
            tracing::info!(instance = %instance.id, owner = %instance.owner, "removed");
            self.inner.checks.forget(instance.id);
            self.inner.pauses.over(instance.id);
            self.inner.outputs.forget(instance.id);
            self.inner.metrics.instance_removed();
            let update = self.update(instance, Phase::Removed, instance.reason.clone(), None);
            let event = self.event(instance, EventKind::InstanceRemoved, instance.reason.clone());
            let recorded = self
                .inner
                .records
                .update_instance(instance.id, update, Some(event))
                .await;
            self.give_back_addresses(instance, recorded.is_ok());
            recorded?;
            self.place_free(instance.id);
            // Another slot of its owner may have waited for this one to be empty.
            self.inner.notifications.notify(instance.owner.clone());
            return Ok(());
        }
        let attempts = instance.attempts.saturating_add(1);
        let reason = faults.join("; ");
        if let Some(held_back) = self.inner.metrics.log_limit().admit("not-removed") {
            tracing::warn!(instance = %instance.id, reason, attempts, held_back, "not yet removed");
        }
        let due = self.inner.clock.now().plus(wait_after(attempts));
        let update = InstanceUpdate {
            attempts,
            ..self.update(instance, Phase::Removing, Some(reason), Some(due))
        };
        self.inner
            .records
            .update_instance(instance.id, update, None)
            .await
            .map(drop)
    }

    /// The addresses of an instance that is gone are free, if that is `recorded`. Otherwise nobody knows.
    fn give_back_addresses(&self, instance: &Instance, recorded: bool) {
        for attachment in &instance.attachments {
            match attachment.address {
                Some(address) if recorded => self.inner.addresses.give_back(&attachment.network, address),
                Some(_) => self.inner.addresses.forget(&attachment.network),
                None => {}
            }
        }
    }

    /// Has the host remove all of it. Returns why, for each piece that is still there.
    async fn take_down(&self, instance: &Instance) -> Vec<String> {
        let Some(host) = self.host_of(instance) else {
            return vec![with_causes(&Failure::unknown_host(instance))];
        };
        let _turn = self
            .inner
            .turns
            .take(instance.host.as_ref(), instance.engine(), Work::Remove)
            .await;
        let fault = match host.remove(&removal_plan(instance)).await {
            Ok(()) => return Vec::new(),
            Err(HostError::Remove { causes, .. }) => causes,
            Err(fault) => return vec![with_causes(&fault)],
        };
        let count = |cause: &Cause| match cause {
            Cause::Network(_) => self.inner.metrics.removal_failed("wiring"),
            other => self.inner.metrics.removal_failed(other.code()),
        };
        fault.iter().inspect(|cause| count(cause)).map(Cause::text).collect()
    }
}
