//! The ways in which a container gets its network.

use std::path::PathBuf;

use crate::{Capability, Container};

/// The way in which a container gets its network. The caller chooses one that the engine's
/// [capabilities](crate::Capabilities) include; [`RunningNetwork`](crate::RunningNetwork) is its counterpart for a
/// running container.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NetworkMode {
    /// The engine makes a network namespace with only a loopback interface. The caller wires it after the start.
    ///
    /// The namespace ends with the container's first process, so each start has a new one.
    EngineNamespace,
    /// The caller made and wired this network namespace. The container has its network from its first instruction on.
    ///
    /// The path is absolute. The namespace outlives the container; the caller removes it.
    Prepared(PathBuf),
    /// The container joins the network namespace of another container of its instance, which must run.
    ///
    /// If that one has started again, [`ensure`](crate::Engine::ensure) restarts this one, so that it joins the new
    /// namespace. If that one was created again, so is this one.
    Shared(Container),
    /// The engine connects the container to one of its own networks, and reports the host interface that is its port.
    EnginePort {
        /// The engine's name for the network.
        network: String,
    },
    /// The caller made a tap device on the host. The engine, which runs virtual machines, opens it.
    Tap {
        /// Name of the device.
        interface: String,
    },
}

impl NetworkMode {
    /// The capability that an engine needs for it.
    pub fn capability(&self) -> Capability {
        match self {
            Self::EngineNamespace => Capability::EngineNamespace,
            Self::Prepared(_) => Capability::PreparedNamespace,
            Self::Shared(_) => Capability::SharedNamespace,
            Self::EnginePort { .. } => Capability::EnginePort,
            Self::Tap { .. } => Capability::Tap,
        }
    }
}
