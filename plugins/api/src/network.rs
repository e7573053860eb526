//! How a container gets its network.

use std::path::PathBuf;

use crate::{Capability, Container};

/// How a container is to get its network. The caller chooses one that the engine's [capabilities](crate::Capabilities)
/// have; [`RunningNetwork`](crate::RunningNetwork) is the same seen from the other side.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NetworkMode {
    /// The engine makes a network namespace with nothing in it but loopback. The caller wires it after the start.
    ///
    /// The namespace ends with the container's first process: each start has a new one.
    EngineNamespace,
    /// The caller made this network namespace and wired it. The container is in its network from its first instruction.
    ///
    /// The path is absolute. The namespace outlives the container; the caller removes it.
    Prepared(PathBuf),
    /// The container joins the network namespace of another container of its instance, which must run.
    ///
    /// When that one has started again, [`ensure`](crate::Engine::ensure) starts this one again too, so that it joins the
    /// new namespace. When that one was made anew, so is this one.
    Shared(Container),
    /// The engine connects the container to one of its own networks and says which host interface is its port.
    EnginePort {
        /// The engine's name for the network.
        network: String,
    },
    /// The caller made a tap device on the host; the engine, which runs virtual machines, opens it.
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
