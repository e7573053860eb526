//! What the API asks of the daemon about services.

use std::sync::Arc;

use async_trait::async_trait;
use orchestrator_model::{Endpoints, Operation, OperationId, Page};
use orchestrator_settings::Faults;
use orchestrator_store::{OperationFilter, ServiceSituation, StoreError};
use serde_json::{Map, Value};
use tokio::sync::watch;

/// A service with what is shown of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceListed {
    /// What is recorded.
    pub situation: ServiceSituation,
    /// The keys of its file, without hidden values.
    pub spec: Map<String, Value>,
}

/// What became of a service, or would.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployed {
    /// The name of the service.
    pub name: String,
    /// Its generation.
    pub generation: u64,
    /// The keys that change, each with its value before and after.
    pub changes: Vec<(String, Option<Value>, Option<Value>)>,
    /// Whether its instances are replaced.
    pub replaces: bool,
    /// The reasons why instances will wait, though nothing is wrong.
    pub warnings: Vec<String>,
    /// The operation that can be waited for.
    pub operation: Option<Operation>,
}

/// What becomes of the image of a service that is bumped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewImage {
    /// It gets this tag.
    Tag(String),
    /// This one takes its place.
    Whole(String),
}

/// Why a service was not changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ServiceError {
    /// The service file is wrong.
    #[error("the service is wrong")]
    Wrong(Faults),
    /// It cannot be changed like this.
    #[error("{0}")]
    Refused(String),
    /// The store refused it, or did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The API's requests about services. Each change is durable when it returns. `by` is who asks, for the timeline.
#[async_trait]
pub trait ServiceControl: Send + Sync + 'static {
    /// Where the services are reached, now and from now on.
    fn endpoints(&self) -> watch::Receiver<Arc<Endpoints>>;

    /// All services, by name.
    async fn list(&self) -> Result<Vec<ServiceListed>, ServiceError>;

    /// The service of this name.
    async fn show(&self, name: &str) -> Result<ServiceListed, ServiceError>;

    /// Deploys a service, or only says what would change. `expect` is the generation that it must have; 0 for none.
    async fn deploy(&self, by: &str, keys: Value, expect: Option<u64>, plan: bool) -> Result<Deployed, ServiceError>;

    /// Changes the number of instances by an expression.
    async fn scale(
        &self,
        by: &str,
        name: &str,
        to: &str,
        oldest_first: bool,
        expect: Option<u64>,
    ) -> Result<Deployed, ServiceError>;

    /// Replaces all instances by new ones of the same content; with an image, deploys the recorded service with that one,
    /// which changes nothing if it has it already. Or only says what would change.
    async fn bump(
        &self,
        by: &str,
        name: &str,
        image: Option<NewImage>,
        expect: Option<u64>,
        plan: bool,
    ) -> Result<Deployed, ServiceError>;

    /// Deploys an earlier version again.
    async fn rollback(
        &self,
        by: &str,
        name: &str,
        version: Option<u64>,
        expect: Option<u64>,
    ) -> Result<Deployed, ServiceError>;

    /// Pauses or resumes a service.
    async fn pause(&self, by: &str, name: &str, paused: bool, expect: Option<u64>) -> Result<Deployed, ServiceError>;

    /// Removes a service.
    async fn remove(&self, by: &str, name: &str, expect: Option<u64>) -> Result<Deployed, ServiceError>;

    /// Operations, the oldest first.
    async fn operations(&self, filter: OperationFilter) -> Result<Page<Operation>, ServiceError>;

    /// The operation of this id.
    async fn operation(&self, id: OperationId) -> Result<Option<Operation>, ServiceError>;

    /// Waits until the operation has ended, and returns it; `None` if there is none.
    async fn ended(&self, id: OperationId) -> Result<Option<Operation>, ServiceError>;
}
