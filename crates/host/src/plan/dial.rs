//! Where to connect.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use orchestrator_plugin::InstanceId;
use serde::{Deserialize, Serialize};

use super::ContainerRef;

/// Where and for how long to try to connect to an instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DialPlan {
    /// The instance.
    pub id: InstanceId,
    /// Which of its sockets.
    pub socket: Socket,
    /// How long one connection may take.
    pub within: Duration,
}

/// A socket of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Socket {
    /// A TCP port.
    Tcp {
        /// The bridge through which it is reached: when the bridge has lost its address, no other way is taken.
        bridge: String,
        /// The address on it.
        address: Ipv6Addr,
        /// The port.
        port: u16,
    },
    /// A Unix socket within a container.
    Unix {
        /// The container.
        container: ContainerRef,
        /// The absolute path of the socket in the container's file system. Links on the way lead nowhere else.
        path: PathBuf,
    },
}
