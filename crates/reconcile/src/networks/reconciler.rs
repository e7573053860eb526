//! The reconciler of all networks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_host::{Host, ListRequest, Listed, NetworkKey, NetworkPart};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use super::bridge::Kept;
use crate::driver::{Backoff, Driver, Failure, Next, Reconciler, Registration, Run};
use crate::part::{PartOfHost, list_all};
use orchestrator_model::{Clock, EventKind, HostId, NewEvent};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::Conditions;
use orchestrator_runtime::metrics::Metrics;
use orchestrator_settings::{Current, NetworkSettings};
use orchestrator_store::{Store, StoreError};

/// How often the bridges are observed.
const PERIOD: Duration = Duration::from_secs(1);
/// The wait after a notification: what comes with it is observed at once.
const GATHER: Duration = Duration::from_millis(200);

/// The part of the store that the network reconciler needs.
#[async_trait]
pub trait NetworkRecords: Send + Sync + 'static {
    /// Records an event.
    async fn append_event(&self, event: NewEvent) -> Result<(), StoreError>;
}

#[async_trait]
impl NetworkRecords for Store {
    async fn append_event(&self, event: NewEvent) -> Result<(), StoreError> {
        Store::append_event(self, event).await.map(drop)
    }
}

/// The environment of the network reconciler.
pub struct Parts {
    /// The settings: the networks.
    pub settings: Current,
    /// Where events are recorded.
    pub records: Arc<dyn NetworkRecords>,
    /// The machine whose bridges are kept.
    pub host: Arc<dyn Host>,
    /// The time of events.
    pub clock: Clock,
    /// Where it says what it waits for.
    pub conditions: Conditions,
    /// Where it counts.
    pub metrics: Metrics,
    /// Where events are recorded side by side with the work.
    pub tasks: TaskTracker,
}

/// Keeps the bridges of all networks until the driver stops, which leaves them as they are. `interfaces_changed` changes
/// whenever interfaces or addresses may have.
pub fn register(driver: &Driver, parts: Parts, interfaces_changed: watch::Receiver<()>) {
    let registration = Registration::new("networks", "makes the bridges of networks, and mends them");
    let registration = registration
        .following_settings()
        .every(PERIOD)
        .retrying(Backoff::constant(PERIOD))
        .having_condition();
    let networks = Networks {
        part: PartOfHost::new(parts.host.clone(), NetworkPart::Networks),
        parts,
        interfaces_changed,
        kept: BTreeMap::new(),
    };
    driver.register(registration, networks);
}

/// Keeps the bridges of all networks.
pub(super) struct Networks {
    pub(super) parts: Parts,
    pub(super) part: PartOfHost,
    interfaces_changed: watch::Receiver<()>,
    kept: BTreeMap<String, Kept>,
}

#[async_trait]
impl Reconciler for Networks {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let wanted = self.parts.settings.get().networks.clone();
        let mut before = std::mem::take(&mut self.kept);
        let mut failed = None;
        for network in &wanted {
            let kept = before.remove(&network.name);
            let mut kept = kept.unwrap_or_else(|| Kept::begin(network, &self.parts.conditions));
            let outcome = self.keep(network, &mut kept).await;
            self.kept.insert(network.name.clone(), kept);
            if let Err(reason) = outcome {
                failed.get_or_insert(reason);
            }
        }
        self.remove_left(|bridge| wanted.iter().any(|network| network.bridge == bridge))
            .await;
        match failed {
            None => Ok(Next::Wait),
            Some(reason) => Err(reason.into()),
        }
    }

    async fn notified(&mut self) {
        if self.interfaces_changed.changed().await.is_err() {
            // Nobody observes interfaces any more: the daemon stops.
            std::future::pending::<()>().await;
        }
        sleep(GATHER).await;
    }
}

impl Networks {
    /// Removes bridges that were made for networks that are no longer wanted, once nothing is on them.
    async fn remove_left(&mut self, is_wanted: impl Fn(&str) -> bool) {
        let request = ListRequest {
            made_bridges: true,
            ..ListRequest::default()
        };
        // A host that does not answer is asked again.
        let Ok(listed) = list_all(self.part.host(), &request).await else {
            return;
        };
        let made = listed.into_iter().filter_map(|answer| match answer {
            Listed::MadeBridges(Ok(made)) => Some(made),
            _ => None,
        });
        let left: Vec<String> = made
            .flatten()
            .filter(|bridge| bridge.ports == 0 && !is_wanted(&bridge.name))
            .map(|bridge| bridge.name)
            .collect();
        for bridge in left {
            match self.remove_bridge(&bridge).await {
                Ok(()) => tracing::info!(bridge, "its network left the settings: removed"),
                Err(reason) => tracing::warn!(bridge, reason, "could not remove a bridge of no network"),
            }
        }
    }

    async fn remove_bridge(&mut self, bridge: &str) -> Result<(), String> {
        let remove = || vec![NetworkKey::Bridge(bridge.to_owned())];
        let removed = async {
            if !self.part.apply_difference(Vec::new(), remove()).await? {
                // A whole without anything begins a generation, and leaves every bridge as it is.
                self.part.apply_whole(Vec::new()).await?;
                self.part.apply_difference(Vec::new(), remove()).await?;
            }
            Ok::<_, orchestrator_host::HostError>(())
        };
        removed.await.map_err(|fault| with_causes(&fault))
    }

    /// Records what happened to a network. It is written when the store comes to it: nothing waits for it.
    pub(super) fn note(&self, network: &NetworkSettings, detail: String) {
        let event = NewEvent {
            link: Some(network.name.clone()),
            host: Some(HostId::new(self.part.host().name())),
            detail: Some(detail),
            ..NewEvent::new(self.parts.clock.now(), EventKind::LinkDisturbed)
        };
        let records = self.parts.records.clone();
        self.parts.tasks.spawn(async move {
            if let Err(fault) = records.append_event(event).await {
                tracing::warn!("could not record what happened to a network: {}", with_causes(&fault));
            }
        });
    }
}
