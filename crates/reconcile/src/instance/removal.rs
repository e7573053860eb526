//! Takes an instance out of the world.

use super::machine::wait_after;
use super::{Orchestrator, alias_prefix, container};
use orchestrator_model::{EventKind, Instance, Phase};
use orchestrator_runtime::causes::with_causes;
use orchestrator_store::{InstanceUpdate, StoreError};

impl Orchestrator {
    /// Removes all that was made for the instance: every part is tried even when another failed.
    pub(super) async fn remove(&self, instance: &Instance) -> Result<(), StoreError> {
        let faults = self.take_down(instance).await;
        if faults.is_empty() {
            tracing::info!(instance = %instance.id, owner = %instance.owner, "removed");
            self.inner.checks.forget(instance.id);
            self.inner.pauses.over(instance.id);
            self.inner.metrics.instance_removed();
            let update = self.update(instance, Phase::Removed, instance.reason.clone(), None);
            let event = self.event(instance, EventKind::InstanceRemoved, instance.reason.clone());
            self.inner
                .store
                .update_instance(instance.id, update, Some(event))
                .await?;
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
            .store
            .update_instance(instance.id, update, None)
            .await
            .map(drop)
    }

    async fn take_down(&self, instance: &Instance) -> Vec<String> {
        let prefix = alias_prefix(self.inner.mark);
        let engine = async {
            match self.inner.plugins.get(instance.engine()) {
                None => Some(format!(
                    "engine {:?} is not in the settings of this daemon",
                    instance.engine()
                )),
                Some(plugin) => plugin.remove(&container(instance)).await.err().map(|fault| {
                    self.inner.metrics.removal_failed(fault.code());
                    with_causes(&fault)
                }),
            }
        };
        let wiring = async {
            let mut faults = Vec::new();
            for attachment in &instance.attachments {
                let removed = self
                    .inner
                    .network
                    .remove_attachment(&attachment.host_end(), &prefix)
                    .await;
                if let Err(fault) = removed {
                    self.inner.metrics.removal_failed("wiring");
                    faults.push(with_causes(&fault));
                }
            }
            faults
        };
        let (engine, wiring) = tokio::join!(engine, wiring);
        engine.into_iter().chain(wiring).collect()
    }
}
