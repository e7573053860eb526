//! What an executable is asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Spec;

/// A request: the only thing on the standard input of the executable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Request {
    /// The version of the protocol of this request. That of VERSION is the newest that the daemon speaks.
    pub protocol: u32,
    /// The name of the engine in the settings of the daemon.
    pub engine: String,
    /// The id of the site that asks, twelve hexadecimal digits. Containers of other sites are never touched.
    pub site: String,
    /// Seconds after which the executable is killed if it has not answered.
    pub timeout_seconds: u64,
    /// The verb with its arguments.
    #[serde(flatten)]
    pub call: Call,
}

/// A verb with its arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verb")]
pub enum Call {
    /// Asks which versions of the protocol the executable speaks, what it is and what it can do.
    #[serde(rename = "VERSION")]
    Version {
        /// The versions that the daemon speaks.
        protocols: Vec<u32>,
    },
    /// Asks whether everything is there that every container needs.
    #[serde(rename = "CHECK")]
    Check,
    /// Asks whether an image is there to be started.
    #[serde(rename = "CHECK_IMAGE")]
    CheckImage {
        /// The image, as the executable names it.
        image: String,
    },
    /// Makes sure that a container exists and runs. One that exists is started as it was made; one that runs is left as it
    /// is.
    #[serde(rename = "ADD")]
    Add {
        /// The container.
        container: Named,
        /// What it is to be.
        spec: Box<Spec>,
        /// How it gets its network.
        network: Network,
    },
    /// Makes sure that a container does not run, and keeps all that it wrote. Its first process gets SIGTERM, and SIGKILL a
    /// few seconds later. Stopping what does not run, or is not there, is success.
    #[serde(rename = "STOP")]
    Stop {
        /// The container.
        container: Named,
    },
    /// Looks for a container.
    #[serde(rename = "FIND")]
    Find {
        /// The container.
        container: Named,
    },
    /// Makes sure that a container is gone, with all that was made for it. Removing what is not there is success. It comes
    /// after every ADD in the end, also after one that failed or was killed.
    #[serde(rename = "DELETE")]
    Delete {
        /// The container.
        container: Named,
    },
    /// Lists all containers of the site in any state, the oldest first.
    #[serde(rename = "LIST")]
    List,
}

impl Call {
    /// The verb as it is written.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Version { .. } => "VERSION",
            Self::Check => "CHECK",
            Self::CheckImage { .. } => "CHECK_IMAGE",
            Self::Add { .. } => "ADD",
            Self::Stop { .. } => "STOP",
            Self::Find { .. } => "FIND",
            Self::Delete { .. } => "DELETE",
            Self::List => "LIST",
        }
    }
}

/// A container as the daemon knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Named {
    /// The id of its instance, twelve hexadecimal digits.
    pub instance: String,
    /// Its name within the instance: lower-case letters, digits and hyphens, a letter first. The first one is `main`.
    pub name: String,
    /// A name for it that no other container of any instance has: `orchestrator-INSTANCE`, with `-NAME` unless it is
    /// `main`.
    pub engine_name: String,
    /// The reference that the executable gave for it when it was made, if the daemon recorded one.
    #[serde(default)]
    pub reference: Option<String>,
}

/// How a container is to get its network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Network {
    /// The executable makes a network namespace with nothing in it but loopback; the daemon wires it after the start.
    EngineNamespace,
    /// The daemon made and wired this network namespace; the container runs in it.
    Prepared {
        /// Absolute path of the namespace.
        path: String,
    },
    /// The container joins the network namespace of another container of its instance, which runs.
    Shared {
        /// The other container.
        with: Named,
    },
    /// The container is connected to a network of the executable's own.
    EnginePort {
        /// The name of the network.
        network: String,
    },
    /// The container, a virtual machine, opens this tap device.
    Tap {
        /// The name of the device.
        interface: String,
    },
}
