//! Removes leftovers: containers and interfaces with our mark that belong to no live instance. This runs alongside
//! everything else.
//!
//! Leftovers of removed instances are removed. Instances that the database never knew are kept
//! ([`orphans`](super::orphans)).

use std::collections::HashSet;
use std::sync::{Arc, MutexGuard, PoisonError};

use orchestrator_host::{
    ContainerRef, Depth, FoundAttachment, FoundInstance, Host, InstanceRef, Observation, RemovalPlan,
};

use super::Orchestrator;
use super::turns::Work;
use orchestrator_model::{Attachment, HostId, Instance, InstanceId};
use orchestrator_store::StoreError;

impl Orchestrator {
    /// Sorts out what an engine has besides the instances that were live before it was asked.
    pub(super) async fn see_others(
        &self,
        id: &HostId,
        host: &Arc<dyn Host>,
        engine: &str,
        mut found: Vec<FoundInstance>,
    ) -> Result<(), StoreError> {
        if !found.is_empty() {
            // Read after the engine was asked: what is recorded before it is made cannot look as if it belonged to nobody.
            let live = self.inner.records.live_instances().await?;
            let live: HashSet<InstanceId> = live.iter().map(|instance| instance.id).collect();
            found.retain(|found| !live.contains(&found.id));
        }
        let ids: Vec<InstanceId> = found.iter().map(|found| found.id).collect();
        let mut known = self.inner.records.known_instances(&ids).await?;
        let mut unknown = Vec::new();
        for found in found {
            match known.remove(&found.id) {
                Some(reference) => self.remove_leftover_beside(id, host, engine, found, reference),
                None => unknown.push(found),
            }
        }
        self.see_orphans(id, host, engine, unknown).await;
        Ok(())
    }

    /// Removes what was made for an instance that is to be gone, once at a time. A copy that somebody made of it is left
    /// alone.
    fn remove_leftover_beside(
        &self,
        id: &HostId,
        host: &Arc<dyn Host>,
        engine: &str,
        found: FoundInstance,
        reference: Option<String>,
    ) {
        let name = format!("{id} {engine} {}", found.id);
        if !self.leftovers().insert(name.clone()) {
            return;
        }
        let (orchestrator, id, host, engine) = (self.clone(), id.clone(), host.clone(), engine.to_owned());
        self.spawn(async move {
            let turn = orchestrator.inner.turns.take(Some(&id), &engine, Work::Remove).await;
            orchestrator.remove_leftover(host.as_ref(), found, reference).await;
            drop(turn);
            orchestrator.leftovers().remove(&name);
        });
    }

    async fn remove_leftover(&self, host: &dyn Host, found: FoundInstance, reference: Option<String>) {
        let recorded = |(container, _): (ContainerRef, _)| match container.name.is_main() {
            true => ContainerRef {
                reference: reference.clone().or(container.reference),
                ..container
            },
            false => container,
        };
        let leftover = InstanceRef {
            id: found.id,
            containers: found.containers.into_iter().map(recorded).collect(),
            attachments: Vec::new(),
        };
        // It may have gone since, and a copy is none of ours.
        let seen = host.see(&leftover, Depth::Whole).await;
        let containers = match seen {
            Ok(Observation::Unknown) | Err(_) => return,
            // Those that share the network of the first one are left when somebody removed that one by hand.
            Ok(Observation::Absent) => others(leftover.containers),
            Ok(_) => leftover.containers,
        };
        if containers.is_empty() {
            return;
        }
        tracing::warn!(instance = %found.id, "belongs to an instance that was removed: removing");
        self.inner.metrics.orphan_removed();
        let plan = RemovalPlan {
            id: Some(leftover.id),
            containers,
            ..RemovalPlan::default()
        };
        if let Err(fault) = host.remove(&plan).await {
            tracing::warn!(instance = %found.id, error = &fault as &dyn std::error::Error, "could not remove");
        }
    }

    /// Removes host ends that belong to no live instance.
    pub(super) fn remove_host_ends_beside(
        &self,
        id: &HostId,
        host: &Arc<dyn Host>,
        live: &[Instance],
        found: &[FoundAttachment],
    ) {
        let wired = host_ends(live);
        let others = found.iter().filter(|found| !wired.contains(&found.host_end)).cloned();
        let others: Vec<FoundAttachment> = others.collect();
        let name = format!("{id} host ends");
        if others.is_empty() || !self.leftovers().insert(name.clone()) {
            return;
        }
        let (orchestrator, host) = (self.clone(), host.clone());
        self.spawn(async move {
            if let Err(fault) = orchestrator.remove_host_ends(host.as_ref(), others).await {
                let error = &fault as &dyn std::error::Error;
                tracing::debug!(error, "host ends that belong to nobody are left for the next pass");
            }
            orchestrator.leftovers().remove(&name);
        });
    }

    async fn remove_host_ends(&self, host: &dyn Host, mut others: Vec<FoundAttachment>) -> Result<(), StoreError> {
        // Read after the kernel was asked, as above.
        let wired = host_ends(&self.inner.records.live_instances().await?);
        others.retain(|found| !wired.contains(&found.host_end));
        let ids: Vec<InstanceId> = others.iter().filter_map(|found| found.instance).collect();
        let known = self.inner.records.known_instances(&ids).await?;
        let gone = others
            .into_iter()
            .filter(|found| found.instance.is_none_or(|id| known.contains_key(&id)));
        for found in gone {
            tracing::warn!(interface = found.host_end, "belongs to nobody: removing");
            self.inner.metrics.orphan_removed();
            let plan = RemovalPlan {
                host_ends: vec![found.host_end.clone()],
                ..RemovalPlan::default()
            };
            if let Err(fault) = host.remove(&plan).await {
                let error = &fault as &dyn std::error::Error;
                tracing::warn!(interface = found.host_end, error, "could not remove");
            }
        }
        Ok(())
    }

    fn leftovers(&self) -> MutexGuard<'_, HashSet<String>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.inner.leftovers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn listed(&self) -> MutexGuard<'_, HashSet<HostId>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.inner.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn others(mut containers: Vec<ContainerRef>) -> Vec<ContainerRef> {
    containers.retain(|container| !container.name.is_main());
    containers
}

fn host_ends(live: &[Instance]) -> HashSet<String> {
    let attachments = live.iter().flat_map(|instance| &instance.attachments);
    attachments.map(Attachment::host_end).collect()
}
