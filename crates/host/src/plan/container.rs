//! A container of an instance.

use orchestrator_plugin::{Container, ContainerKey, ContainerName, ContainerSpec, InstanceId};
use serde::{Deserialize, Serialize};

/// What a container of an instance is to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerPlan {
    /// Its name among the containers of the instance.
    pub name: ContainerName,
    /// Name of the engine in the settings.
    pub engine: String,
    /// The engine's own name for it, where that was recorded.
    pub reference: Option<String>,
    /// What it is to be.
    pub spec: ContainerSpec,
}

/// One container that may exist on a host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ContainerRef {
    /// The instance that it belongs to.
    pub instance: InstanceId,
    /// Its name among the containers of the instance.
    pub name: ContainerName,
    /// Name of the engine in the settings.
    pub engine: String,
    /// The engine's own name for it, where that is known.
    pub reference: Option<String>,
}

impl ContainerRef {
    /// The same as an engine knows it.
    pub fn container(&self) -> Container {
        Container {
            key: ContainerKey {
                instance: self.instance,
                name: self.name.clone(),
            },
            reference: self.reference.clone(),
        }
    }
}
