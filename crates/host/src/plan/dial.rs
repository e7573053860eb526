//! Where to connect.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use orchestrator_plugin::InstanceId;
use serde::{Deserialize, Serialize};

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
        /// The network through which it is reached: when the network has lost its address, no other way is taken.
        network: String,
        /// The address on it.
        address: Ipv6Addr,
        /// The port.
        port: u16,
    },
    /// A Unix socket within the instance, by its absolute path there.
    Unix(PathBuf),
}
