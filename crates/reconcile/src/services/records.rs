//! The part of the store that the services need.

use async_trait::async_trait;
use orchestrator_model::{Event, RecordedService, Timestamp};
use orchestrator_store::{ServiceSituation, ServiceUpdate, Store, StoreError, Wanting};
use tokio::sync::broadcast;

/// The reads and writes of the services. Every method does the same as the method of [`Store`] with the same name.
#[async_trait]
pub trait ServiceRecords: Send + Sync + 'static {
    /// All services.
    async fn services(&self) -> Result<Vec<RecordedService>, StoreError>;

    /// A service with all that its worker has to know.
    async fn service_situation(&self, name: &str) -> Result<Option<ServiceSituation>, StoreError>;

    /// Records what a worker has decided.
    async fn update_service(&self, update: ServiceUpdate) -> Result<(), StoreError>;

    /// Forgets a service of which nothing is left; whether it is gone.
    async fn forget_service(&self, name: &str, at: Timestamp) -> Result<bool, StoreError>;

    /// The clients of a link that hold a lease and are to have instances.
    async fn wanting(&self, link: &str) -> Result<Vec<Wanting>, StoreError>;

    /// New events, each after its commit.
    fn subscribe(&self) -> broadcast::Receiver<Event>;

    /// The number of the first snapshot of endpoints. It is higher than that of any snapshot of an earlier daemon.
    fn first_index(&self) -> u64;
}

/// How many snapshots a daemon may make before the numbers of the next daemon begin: as many bits.
const SNAPSHOTS: u32 = 26;

#[async_trait]
impl ServiceRecords for Store {
    async fn services(&self) -> Result<Vec<RecordedService>, StoreError> {
        Self::services(self).await
    }

    async fn service_situation(&self, name: &str) -> Result<Option<ServiceSituation>, StoreError> {
        Self::service_situation(self, name).await
    }

    async fn update_service(&self, update: ServiceUpdate) -> Result<(), StoreError> {
        Self::update_service(self, update).await
    }

    async fn forget_service(&self, name: &str, at: Timestamp) -> Result<bool, StoreError> {
        Self::forget_service(self, name, at).await
    }

    async fn wanting(&self, link: &str) -> Result<Vec<Wanting>, StoreError> {
        Self::wanting(self, link).await
    }

    fn subscribe(&self) -> broadcast::Receiver<Event> {
        Self::subscribe(self)
    }

    fn first_index(&self) -> u64 {
        self.epoch() << SNAPSHOTS
    }
}
