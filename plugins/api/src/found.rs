//! Containers as an engine has them.

use std::path::{Path, PathBuf};

use crate::{Capability, Container, ContainerKey, ContainerName};

/// A container as the engine has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its key.
    pub key: ContainerKey,
    /// The engine's own name for it: a container id. The caller records it.
    pub reference: String,
    /// Its present state.
    pub state: FoundState,
}

impl Found {
    /// The container with this reference, for calls about this very one.
    pub fn container(&self) -> Container {
        Container {
            key: self.key.clone(),
            reference: Some(self.reference.clone()),
        }
    }
}

/// The present state of a container, as its engine reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundState {
    /// Made, never started.
    Created,
    /// Its first process runs.
    Running(Running),
    /// Its processes are frozen: it has a network, and answers nothing. [`ensure`](crate::Engine::ensure) ends that.
    Paused(Running),
    /// Its first process ended.
    Exited {
        /// Exit code of the first process; 128 + signal when a signal ended it.
        code: i64,
    },
}

/// A running container, with what is needed to wire it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// The first process, as seen from the daemon's process namespace.
    pub pid: u32,
    /// Where its network is.
    pub network: RunningNetwork,
}

impl Running {
    /// Path of the network namespace that the caller wires; `None` when there is nothing for it to wire there.
    ///
    /// Of [`RunningNetwork::EngineNamespace`] it names the namespace of a *process*: by the time it is opened the process
    /// may be gone and its number taken by another. After wiring, the caller must make sure that the container still runs
    /// under the same pid.
    pub fn netns(&self) -> Option<&Path> {
        match &self.network {
            RunningNetwork::EngineNamespace(path) | RunningNetwork::Prepared(path) => Some(path),
            RunningNetwork::Shared(_) | RunningNetwork::EnginePort { .. } | RunningNetwork::Tap { .. } => None,
        }
    }
}

/// Where the network of a running container is: the [`NetworkMode`](crate::NetworkMode) that it was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunningNetwork {
    /// In a network namespace that the engine made: this one is to be wired.
    EngineNamespace(PathBuf),
    /// In the network namespace that was prepared for it.
    Prepared(PathBuf),
    /// In the network namespace of this other container of its instance.
    Shared(ContainerName),
    /// At a port of one of the engine's networks.
    EnginePort {
        /// Name of the host's interface that is the port.
        interface: String,
    },
    /// At a tap device of the host.
    Tap {
        /// Name of the device.
        interface: String,
    },
}

impl RunningNetwork {
    /// The kind of network, as a capability of the engine.
    pub fn capability(&self) -> Capability {
        match self {
            Self::EngineNamespace(_) => Capability::EngineNamespace,
            Self::Prepared(_) => Capability::PreparedNamespace,
            Self::Shared(_) => Capability::SharedNamespace,
            Self::EnginePort { .. } => Capability::EnginePort,
            Self::Tap { .. } => Capability::Tap,
        }
    }
}
