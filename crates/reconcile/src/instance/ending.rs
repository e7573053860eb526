//! Ends the time of instances, or puts that off.

use std::time::Duration;

use super::Orchestrator;
use super::wants::is_spent;
use orchestrator_model::{Expiry, Instance, InstanceId, Phase, TimeChange, Timestamp};
use orchestrator_store::{InstanceUpdate, Situation, StoreError};

impl Orchestrator {
    /// Changes the times of an instance, and sees to what follows from that. `by` is who asks, for the timeline.
    ///
    /// # Errors
    ///
    /// When there is no such instance, the change does not fit its present state, or the store is away.
    pub async fn change_times(
        &self,
        id: InstanceId,
        change: TimeChange,
        by: Option<String>,
    ) -> Result<Instance, StoreError> {
        let now = self.inner.clock.now();
        let instance = self.inner.records.change_times(id, change.clone(), now, by).await?;
        self.count(&change);
        self.wake(instance.key());
        Ok(instance)
    }

    /// Whether an instance was ended by time, and its client is not to have one again yet.
    pub(super) fn is_spent(&self, situation: &Situation, instance: &Instance) -> bool {
        let holding = situation.holding.as_ref().filter(|_| instance.times.expired.is_some());
        let again = self.declared().again(&instance.template);
        let now = self.inner.clock.now();
        holding.is_some_and(|holding| is_spent(holding, &instance.slot, again, now))
    }

    /// Records that an instance is to be stopped, and kept until then.
    pub(super) async fn begin_keep(&self, instance: &Instance, until: Timestamp) -> Result<(), StoreError> {
        tracing::info!(instance = %instance.id, owner = %instance.owner, %until, "its grace period ended; it is stopped");
        let reason = format!("the client's lease ended; stopped, and removed at {until} unless the client returns");
        let now = self.inner.clock.now();
        let update = InstanceUpdate {
            attempts: 0,
            kept_until: Some(until),
            ..self.update(instance, Phase::Stopped, Some(reason), Some(now))
        };
        let recorded = self.inner.records.update_instance(instance.id, update, None);
        recorded.await.map(drop)
    }

    /// Records that the lifetime of an instance ended.
    pub(super) async fn expire(&self, instance: &Instance, expiry: Expiry) -> Result<(), StoreError> {
        tracing::info!(instance = %instance.id, owner = %instance.owner, %expiry, "its time ended");
        let keep = Duration::ZERO;
        self.change_time(instance, TimeChange::Expire { expiry, keep }).await
    }

    /// Changes the times of an instance. If somebody changed them meanwhile, the next step takes that into account.
    pub(super) async fn change_time(&self, instance: &Instance, change: TimeChange) -> Result<(), StoreError> {
        let now = self.inner.clock.now();
        let changed = self
            .inner
            .records
            .change_times(instance.id, change.clone(), now, None)
            .await;
        match changed {
            Ok(_) => {
                self.count(&change);
                Ok(())
            }
            Err(StoreError::Time { .. }) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// Counts an instance whose time has ended.
    fn count(&self, change: &TimeChange) {
        if let TimeChange::Expire { expiry, .. } = change {
            self.inner.metrics.instance_expired(expiry.word());
        }
    }
}
