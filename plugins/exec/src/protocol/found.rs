//! Containers as an executable has them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A container as the executable has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FoundContainer")]
pub struct Container {
    /// The id of its instance.
    pub instance: String,
    /// Its name within the instance.
    pub name: String,
    /// The executable's own name for this very container: 1 to 256 printable ASCII characters. One that is made anew has
    /// another.
    pub reference: String,
    /// What it does.
    #[serde(flatten)]
    pub state: State,
}

/// What a container does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// It was made and never started.
    Created,
    /// Its first process runs.
    Running {
        /// The first process, as this machine numbers it.
        pid: u32,
        /// Where its network is: of the kind that ADD asked for.
        network: Network,
    },
    /// Its processes are frozen. ADD lets them go on.
    Paused {
        /// The first process.
        pid: u32,
        /// Where its network is.
        network: Network,
    },
    /// Its first process ended.
    Exited {
        /// Its exit code; 128 + signal when a signal ended it.
        code: i64,
    },
}

/// Where the network of a running container is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[schemars(rename = "FoundNetwork")]
pub enum Network {
    /// In a network namespace that the executable made, for the daemon to wire.
    EngineNamespace {
        /// Absolute path of the namespace: `/proc/PID/ns/net`, say.
        path: String,
    },
    /// In the network namespace that ADD named.
    Prepared {
        /// Its path, as ADD named it.
        path: String,
    },
    /// In that of another container of the instance.
    Shared {
        /// The name of the other container.
        with: String,
    },
    /// At a port of a network of the executable's own.
    EnginePort {
        /// The interface of the host that is the port.
        interface: String,
    },
    /// At a tap device.
    Tap {
        /// The name of the device.
        interface: String,
    },
}
