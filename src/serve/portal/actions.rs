//! What clients do on their pages.

use async_trait::async_trait;
use orchestrator_model::{Clock, InstanceId, KeyChange, TimeChange, TimeRefusal};
use orchestrator_portal::{Actions, Refusal, Source};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::notifications::Notifications;
use orchestrator_store::{Store, StoreError};

use super::asking::client_at;

/// Who did it, in the timeline.
const BY: &str = "client";

/// Carries out what clients ask for, by the store and the reconcilers.
pub(super) struct StoreActions {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) notifications: Notifications,
}

#[async_trait]
impl Actions for StoreActions {
    async fn restart(&self, source: &Source, instance: InstanceId) -> Result<(), Refusal> {
        let detail = format!("asked for on the page, from {}", source.address);
        let replaced = self
            .store
            .replace_instance(instance, self.clock.now(), Some(detail), Some(BY.to_owned()))
            .await;
        let replaced = replaced.map_err(|fault| later(&fault))?;
        self.notifications.notify_slot(replaced.key());
        Ok(())
    }

    async fn extend(&self, _: &Source, instance: InstanceId) -> Result<(), Refusal> {
        let (now, by) = (self.clock.now(), Some(BY.to_owned()));
        let change = TimeChange::ExtendByClient;
        let extended = self.store.change_times(instance, change, now, by).await;
        let extended = extended.map_err(|fault| match fault {
            StoreError::Time { why, .. } => Refusal(not_extended(why).to_owned()),
            fault => later(&fault),
        })?;
        self.notifications.notify_slot(extended.key());
        Ok(())
    }

    async fn set_keys(&self, source: &Source, keys: Vec<String>) -> Result<(), Refusal> {
        let keys = orchestrator_model::parse_keys(&keys).map_err(|fault| Refusal(fault.to_string()))?;
        let holding = client_at(&self.store, &source.link, source.address).await;
        let holding = holding.map_err(|fault| later(&fault))?;
        let holding = holding.ok_or_else(|| Refusal("Your device has no lease any more".to_owned()))?;
        let (now, by) = (self.clock.now(), Some(BY.to_owned()));
        let change = KeyChange::Replace(keys);
        let kept = self
            .store
            .change_authorized_keys(holding.client.id, change, now, by)
            .await;
        kept.map(drop).map_err(|fault| later(&fault))
    }
}

/// Why the time of an instance is not extended, for its client.
const fn not_extended(why: TimeRefusal) -> &'static str {
    match why {
        TimeRefusal::Gone => "Your machine is being removed, or is gone.",
        TimeRefusal::Pinned => "Your machine is kept without an end already.",
        TimeRefusal::NoDeadline => "Nothing ends your machine but the lease of your device.",
        TimeRefusal::NotAllowed => "The time of your machine cannot be extended here.",
        TimeRefusal::TooOften => "The time of your machine was extended as often as this network allows.",
        TimeRefusal::NotRunning | TimeRefusal::SwitchedOff => "Your machine is stopped.",
        TimeRefusal::Outdated => "The time of your machine has just changed. Open the page again.",
    }
}

fn later(fault: &StoreError) -> Refusal {
    tracing::debug!(
        reason = with_causes(fault),
        "what a client asked for could not be recorded"
    );
    Refusal("It could not be recorded at the moment. Try again in a few seconds.".to_owned())
}
