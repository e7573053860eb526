//! Observes one instance.

use std::path::Path;

use orchestrator_network::{AttachmentFound, Flaw, NetworkError};
use orchestrator_plugin::FoundState;

use super::LocalHost;
use crate::{AttachmentPlan, InstanceRef, Lack, Observation, RoutePlan};

impl LocalHost {
    /// Looks in the engines, on the bridges, and within the instance's network.
    pub(super) async fn see_whole(&self, instance: &InstanceRef) -> Observation {
        let mut first = None;
        for (place, container) in instance.containers.iter().enumerate() {
            let without = |lack| Observation::without(instance, place, lack);
            let Ok(engine) = self.engine(&container.engine) else {
                return Observation::Unknown;
            };
            let running = match engine.find(&container.container()).await {
                Err(fault) => {
                    tracing::debug!(instance = %instance.id, error = %fault, "could not observe");
                    return Observation::Unknown;
                }
                Ok(None) => return without(Lack::Absent),
                Ok(Some(found)) => match found.state {
                    FoundState::Created => return without(Lack::Stopped { code: None }),
                    FoundState::Exited { code } => return without(Lack::Stopped { code: Some(code) }),
                    FoundState::Paused(_) => return Observation::Paused,
                    FoundState::Running(running) => running,
                },
            };
            first.get_or_insert(running);
        }
        let Some(running) = first else {
            return Observation::Absent;
        };
        self.saw_network(instance.id, running.netns());
        match (self.see_host_ends(instance).await, running.netns()) {
            (Observation::Running, Some(netns)) => self.see_wiring(instance, netns).await,
            (seen, _) => seen,
        }
    }

    /// Looks within the instance's network as it was last known.
    pub(super) async fn see_inside(&self, instance: &InstanceRef) -> Observation {
        let known = self.networks().get(&instance.id).cloned();
        let Some(netns) = known else {
            return Observation::Unknown;
        };
        for attachment in &instance.attachments {
            let wiring = self.wiring(instance.id, attachment);
            let flaw = match self.network().find_flaw(&wiring, &netns).await {
                Ok(None) => self.network().find_port_flaw(&wiring).await,
                found => found,
            };
            match flaw {
                Ok(None) => {}
                Ok(Some(flaw)) => return Observation::Flawed(flaw),
                Err(NetworkError::NamespaceGone { .. }) => return Observation::Stopped { code: None },
                Err(_) => return Observation::Unknown,
            }
        }
        Observation::wired(&instance.attachments)
    }

    async fn see_host_ends(&self, instance: &InstanceRef) -> Observation {
        for attachment in &instance.attachments {
            let found = self
                .network()
                .find_attachment(&attachment.host_end(), &self.alias_prefix())
                .await;
            match found {
                Err(_) => return Observation::Unknown,
                Ok(Some(found)) if !is_on(&found, attachment) => return Observation::Unwired,
                Ok(Some(found)) if found.isolated != attachment.isolated => {
                    return Observation::Flawed(Flaw::OtherIsolation);
                }
                Ok(Some(_)) => {}
                Ok(None) => return Observation::Unwired,
            }
            let wiring = self.wiring(instance.id, attachment);
            match self.network().find_port_flaw(&wiring).await {
                Ok(None) => {}
                Ok(Some(flaw)) => return Observation::Flawed(flaw),
                Err(_) => return Observation::Unknown,
            }
        }
        Observation::Running
    }

    async fn see_wiring(&self, instance: &InstanceRef, netns: &Path) -> Observation {
        for attachment in &instance.attachments {
            let wiring = self.wiring(instance.id, attachment);
            match self.network().find_flaw(&wiring, netns).await {
                Ok(Some(flaw)) => return Observation::Flawed(flaw),
                Ok(None) => {}
                // Its process has just ended: the engine tells of it.
                Err(NetworkError::NamespaceGone { .. }) => return Observation::Unknown,
                Err(fault) => tracing::debug!(instance = %instance.id, error = %fault, "could not observe its network"),
            }
        }
        let routes: Vec<RoutePlan> = instance.attachments.iter().flat_map(AttachmentPlan::routes).collect();
        match self.has_routes(&routes).await {
            Ok(true) => Observation::wired(&instance.attachments),
            Ok(false) => Observation::Flawed(Flaw::NoRoute),
            Err(_) => Observation::Unknown,
        }
    }
}

/// Whether an attachment is up, and on its network.
fn is_on(found: &AttachmentFound, plan: &AttachmentPlan) -> bool {
    found.up && found.bridge.as_ref() == Some(&plan.bridge)
}
