//! Containers as an engine has them.

use std::path::{Path, PathBuf};

use crate::{Capability, Container, ContainerKey, ContainerName};

/// A container as the engine has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its key.
    pub key: ContainerKey,
    /// The engine's name for it: a container id. The caller records it.
    pub reference: String,
    /// Its present state.
    pub state: FoundState,
}

impl Found {
    /// The container with this reference, for calls about exactly this one.
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
    /// It was created but never started.
    Created,
    /// Its first process runs.
    Running(Running),
    /// Its processes are frozen: it has a network but does not answer. [`ensure`](crate::Engine::ensure) resumes it.
    Paused(Running),
    /// Its first process ended.
    Exited {
        /// Exit code of the first process; 128 + signal when a signal ended it.
        code: i64,
    },
}

/// A running container, with the facts that are needed to wire it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// The first process, as seen from the daemon's process namespace.
    pub pid: u32,
    /// The place of its network.
    pub network: RunningNetwork,
}

impl Running {
    /// The path of the network namespace that the caller wires; `None` if there is none to wire.
    ///
    /// For [`RunningNetwork::EngineNamespace`] the path is that of a *process*: when it is opened, the process may be
    /// gone and its number used by another. After wiring, the caller must check that the container still runs under the
    /// same pid.
    pub fn netns(&self) -> Option<&Path> {
        match &self.network {
            RunningNetwork::EngineNamespace(path) | RunningNetwork::Prepared(path) => Some(path),
            RunningNetwork::Shared(_) | RunningNetwork::EnginePort { .. } | RunningNetwork::Tap { .. } => None,
        }
    }
}

/// The place of a running container's network: the [`NetworkMode`](crate::NetworkMode) with which it was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunningNetwork {
    /// A network namespace that the engine made. The caller wires it.
    EngineNamespace(PathBuf),
    /// The network namespace that the caller prepared for it.
    Prepared(PathBuf),
    /// The network namespace of this other container of its instance.
    Shared(ContainerName),
    /// A port of one of the engine's networks.
    EnginePort {
        /// The name of the port's interface on the host.
        interface: String,
    },
    /// A tap device of the host.
    Tap {
        /// The name of the device.
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
