//! Measures what instances with a limit of the disk wrote, where nothing enforces the limit, and ends those that are over it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use orchestrator_host::{Capability, ContainerRef, HostError};
use tokio::time::Instant;

use super::Orchestrator;
use super::request::container_refs;
use crate::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_model::{Instance, InstanceId, Phase};
use orchestrator_runtime::causes::with_causes;

/// The shortest time between two measurements of an instance.
const PERIOD: Duration = Duration::from_secs(30);
/// Of the time, at most one in so many parts goes with measuring an instance.
const SHARE: u32 = 50;
/// Instances that are measured at once. Each may read all files of its instance.
const AT_ONCE: usize = 4;

impl Orchestrator {
    /// Has the driver measure.
    pub(super) fn register_disk(&self) {
        let registration = Registration::new("disk", "ends instances that wrote more than the limit of their disk")
            .every(PERIOD)
            .retrying(Backoff::new(PERIOD, PERIOD));
        let disk = Disk {
            orchestrator: self.clone(),
            due: BTreeMap::new(),
        };
        self.inner.driver.register(registration, disk);
    }

    /// Measures the containers of an instance that have a limit. Returns which one is over it, for people.
    async fn over_limit(&self, instance: &Instance) -> Result<Option<String>, HostError> {
        let Some(host) = self.host_of(instance) else {
            return Ok(None);
        };
        let capabilities = host.capabilities().engines;
        for container in container_refs(instance) {
            let Some(limit) = limit_of(instance, &container) else {
                continue;
            };
            let engine = capabilities.get(&container.engine);
            if !engine.is_some_and(|engine| engine.has(Capability::Disk)) {
                continue;
            }
            let found = host.disk(&container).await?;
            // Where the file system refuses more, the instance may stay.
            if found.bytes > limit && found.limit.is_none() {
                return Ok(Some(format!(
                    "its container {} wrote {} bytes, and `disk` of template {} allows {limit}",
                    container.name, found.bytes, instance.template
                )));
            }
        }
        Ok(None)
    }

    /// Ends an instance, for good: what it wrote goes with it.
    async fn end_over_limit(&self, instance: &Instance, detail: String) -> Result<(), String> {
        tracing::warn!(instance = %instance.id, detail, "an instance is over the limit of its disk, and is removed");
        let now = self.inner.clock.now();
        let ended = self
            .inner
            .records
            .destroy_instance(instance.id, now, Some(detail), None);
        let ended = ended.await.map_err(|fault| with_causes(&fault))?;
        self.inner.metrics.instance_over_disk();
        self.wake(ended.key());
        Ok(())
    }
}

/// The limit of a container.
fn limit_of(instance: &Instance, container: &ContainerRef) -> Option<u64> {
    instance.spec.of(container.name.as_str())?.resources.disk
}

struct Disk {
    orchestrator: Orchestrator,
    /// When each instance is measured again.
    due: BTreeMap<InstanceId, Instant>,
}

#[async_trait]
impl Reconciler for Disk {
    /// One that cannot be measured holds up no other.
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let live = self.orchestrator.inner.records.live_instances().await;
        let live = live.map_err(|fault| Failure::of(&fault))?;
        let ids: BTreeSet<InstanceId> = live.iter().map(|instance| instance.id).collect();
        self.due.retain(|id, _| ids.contains(id));
        let now = Instant::now();
        let is_due = |instance: &Instance| {
            let has_limit = instance.spec.containers().any(|spec| spec.resources.disk.is_some());
            let waits = self.due.get(&instance.id).is_some_and(|due| *due > now);
            has_limit && !waits && matches!(instance.phase, Phase::Ready | Phase::Ending)
        };
        let due: Vec<Instance> = live.into_iter().filter(is_due).collect();
        let measured = stream::iter(due).map(|instance| {
            let orchestrator = self.orchestrator.clone();
            async move {
                let began = Instant::now();
                let found = orchestrator.over_limit(&instance).await;
                (instance, found, began.elapsed())
            }
        });
        let measured: Vec<_> = measured.buffer_unordered(AT_ONCE).collect().await;
        let mut failed = Vec::new();
        for (instance, found, took) in measured {
            let pause = PERIOD.max(took.saturating_mul(SHARE));
            self.due.insert(instance.id, Instant::now() + pause);
            let ended = match found {
                Ok(None) => Ok(()),
                Ok(Some(detail)) => self.orchestrator.end_over_limit(&instance, detail).await,
                Err(fault) => Err(with_causes(&fault)),
            };
            if let Err(reason) = ended {
                failed.push(format!("instance {}: {reason}", instance.id));
            }
        }
        match failed.is_empty() {
            false => Err(failed.join("; ").into()),
            true => Ok(Next::Wait),
        }
    }
}
