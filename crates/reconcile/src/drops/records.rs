//! The part of the store that this needs.

use async_trait::async_trait;
use orchestrator_model::NewEvent;
use orchestrator_policy::OwnerFacts;
use orchestrator_store::{Store, StoreError};

use crate::policy::PolicyRecords;

/// What is read and recorded about senders.
#[async_trait]
pub trait DropRecords: Send + Sync + 'static {
    /// What is recorded of every owner that has an active lease or a live instance.
    async fn owners(&self) -> Result<Vec<OwnerFacts>, StoreError>;

    /// Records an event.
    async fn record(&self, event: NewEvent) -> Result<(), StoreError>;
}

#[async_trait]
impl DropRecords for Store {
    async fn owners(&self) -> Result<Vec<OwnerFacts>, StoreError> {
        self.all_facts().await
    }

    async fn record(&self, event: NewEvent) -> Result<(), StoreError> {
        self.append_event(event).await.map(drop)
    }
}
