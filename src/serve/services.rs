//! Services: what somebody deploys or changes, and the parts that carry it out.

mod bump;
mod change;
mod refuse;
mod scale;

use std::sync::Arc;
use std::time::Duration;

use orchestrator_api::ServiceError;
use orchestrator_catalog::Catalog;
use orchestrator_host::Host;
use orchestrator_model::{Clock, Endpoints, ServiceVersion};
use orchestrator_reconcile::instance::Orchestrator;
use orchestrator_reconcile::services::{self, ServiceWants};
use orchestrator_runtime::routers::Routers;
use orchestrator_service::ServiceSpec;
use orchestrator_settings::{Current, Settings};
use orchestrator_store::{Store, StoreError};
use tokio::sync::watch;

use super::Context;
use super::hosts::Hosts;

/// The wait before a database is asked again that did not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// The services of the daemon. A cheap handle.
#[derive(Clone)]
pub(super) struct Services {
    settings: Current,
    store: Store,
    catalog: Catalog,
    clock: Clock,
    endpoints: watch::Receiver<Arc<Endpoints>>,
    hosts: Hosts,
    reconciled: services::Services,
}

impl Services {
    /// Reads the services that are recorded, however long the database takes to answer.
    ///
    /// # Errors
    ///
    /// When waiting cannot help, or the daemon stops before.
    pub(super) async fn open(
        context: &Context,
        store: &Store,
        catalog: &Catalog,
        host: &Arc<dyn Host>,
        routers: &Routers,
        known: &Hosts,
    ) -> Result<Self, StoreError> {
        let (sender, endpoints) = watch::channel(Arc::default());
        let reconciled = loop {
            let parts = services::Parts {
                settings: context.settings.clone(),
                records: Arc::new(store.clone()),
                hosts: vec![host.clone()],
                known_hosts: known.follow(),
                routers: routers.clone(),
                endpoints: sender.clone(),
                clock: context.clock,
                notifications: context.notifications.clone(),
                conditions: context.conditions.clone(),
                driver: context.driver.clone(),
                tracker: context.tasks.clone(),
                stop: context.stop.clone(),
            };
            match services::Services::open(parts).await {
                Ok(reconciled) => break reconciled,
                Err(fault) if fault.is_away() && !context.stop.is_cancelled() => tokio::time::sleep(PAUSE).await,
                Err(fault) => return Err(fault),
            }
        };
        Ok(Self {
            settings: context.settings.clone(),
            store: store.clone(),
            catalog: catalog.clone(),
            clock: context.clock,
            endpoints,
            hosts: known.clone(),
            reconciled,
        })
    }

    /// What services want of the workers of instances.
    pub(super) fn wants(&self) -> ServiceWants {
        self.reconciled.wants()
    }

    /// Where the services are reached, now and from now on.
    pub(super) fn endpoints(&self) -> watch::Receiver<Arc<Endpoints>> {
        self.endpoints.clone()
    }

    /// Begins to work.
    pub(super) fn register(&self, orchestrator: &Orchestrator) {
        self.reconciled.register(Arc::new(orchestrator.clone()));
    }

    /// Reads a recorded version.
    fn read(version: &ServiceVersion, settings: &Settings) -> Result<ServiceSpec, ServiceError> {
        let keys = serde_json::from_str(&version.spec);
        let keys = keys.map_err(|error| ServiceError::Refused(format!("the recorded version is no JSON: {error}")))?;
        ServiceSpec::reread(&keys, settings).map_err(ServiceError::Wrong)
    }
}
