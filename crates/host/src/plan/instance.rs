//! An instance.

use orchestrator_plugin::InstanceId;
use serde::{Deserialize, Serialize};

use super::{AttachmentPlan, ContainerPlan, ContainerRef, MountPlan, ReadinessPlan};

/// What an instance is to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstancePlan {
    /// Its name, carried by everything that is made for it.
    pub id: InstanceId,
    /// Its containers. The network namespace of the first is that of all.
    pub containers: Vec<ContainerPlan>,
    /// The volumes that it holds. No other instance holds one of them.
    pub mounts: Vec<MountPlan>,
    /// Its interfaces.
    pub attachments: Vec<AttachmentPlan>,
    /// How it is known to answer; without it, an instance that runs and is wired has answered.
    pub readiness: Option<ReadinessPlan>,
    /// Whether its processes are stopped before they are started.
    pub restart: bool,
    /// Whether it may run on when it cannot be wired for a reason that may pass by itself.
    pub patient: bool,
}

/// An instance that may exist on a host, with what it was planned to be attached to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceRef {
    /// Its name.
    pub id: InstanceId,
    /// Its containers, the first one first.
    pub containers: Vec<ContainerRef>,
    /// Its interfaces.
    pub attachments: Vec<AttachmentPlan>,
}

impl InstancePlan {
    /// The same without what is needed only to make it.
    pub fn reference(&self) -> InstanceRef {
        let containers = self.containers.iter().map(|container| self.container(container));
        InstanceRef {
            id: self.id,
            containers: containers.collect(),
            attachments: self.attachments.clone(),
        }
    }

    /// One of its containers without what is needed only to make it.
    pub fn container(&self, container: &ContainerPlan) -> ContainerRef {
        ContainerRef {
            instance: self.id,
            name: container.name.clone(),
            engine: container.engine.clone(),
            reference: container.reference.clone(),
        }
    }
}
