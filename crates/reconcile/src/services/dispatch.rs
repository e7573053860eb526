//! Wakes the workers of services: after commits, when routers have moved on, and from time to time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_model::Event;
use orchestrator_service::place::KnownHost;
use tokio::sync::{broadcast, watch};

use super::Services;
use crate::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};

/// All workers are woken at least this often, whatever notifications were lost.
const PERIOD: Duration = Duration::from_secs(30);

/// The pause after a try at which the store did not answer.
const RETRY: Duration = Duration::from_secs(1);

struct Dispatch {
    services: Services,
    events: broadcast::Receiver<Event>,
    routers: watch::Receiver<()>,
    hosts: watch::Receiver<Arc<Vec<KnownHost>>>,
}

/// Wakes workers until the daemon stops.
pub(super) fn register(services: &Services) {
    let purpose = "takes committed changes to the workers of services";
    let registration = Registration::new("services", purpose)
        .every(PERIOD)
        .following_settings()
        .retrying(Backoff::constant(RETRY));
    let dispatch = Dispatch {
        events: services.inner.records.subscribe(),
        routers: services.inner.routers.changes(),
        hosts: services.inner.known_hosts.clone(),
        services: services.clone(),
    };
    services.inner.driver.register(registration, dispatch);
}

#[async_trait]
impl Reconciler for Dispatch {
    async fn reconcile(&mut self, run: &Run) -> Result<Next, Failure> {
        let recorded = self.services.inner.records.services().await;
        let recorded = recorded.map_err(|fault| Failure::of(&fault))?;
        run.set_detail(format!("{} services", recorded.len()));
        for service in &recorded {
            self.services.wake(&service.name);
        }
        // Those that were forgotten behind our back, as by a restore.
        let known: Vec<String> = self.services.workers().keys().cloned().collect();
        for name in known
            .iter()
            .filter(|name| recorded.iter().all(|one| one.name != **name))
        {
            self.services.wake(name);
        }
        Ok(Next::Wait)
    }

    /// Returns only when events were lost, or hosts are others than before: then everything is read.
    async fn notified(&mut self) {
        let notifications = self.services.inner.notifications.clone();
        loop {
            tokio::select! {
                event = self.events.recv() => match event {
                    Ok(event) => event.service.iter().for_each(|service| self.services.wake(service)),
                    Err(broadcast::error::RecvError::Lagged(_)) => return,
                    Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                },
                services = notifications.received_services() => {
                    services.iter().for_each(|service| self.services.wake(service));
                }
                Ok(()) = self.hosts.changed() => return,
                Ok(()) = self.routers.changed() => {
                    let waiting: Vec<String> = self.services.waiting().iter().cloned().collect();
                    waiting.iter().for_each(|service| self.services.wake(service));
                }
            }
        }
    }
}
