//! Everything on a host that bears our mark.

use orchestrator_plugin::{Id, InstanceId};
use serde::{Deserialize, Serialize};

use crate::{Cause, ContainerRef};

/// The scope of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRequest {
    /// The engines to ask; none is asked that is not named here.
    pub engines: Vec<String>,
    /// Whether to list attachments.
    pub attachments: bool,
    /// The bridges whose free ports are to be counted.
    pub ports_of: Vec<String>,
}

/// A chunk of the answer to [`list`](crate::Host::list).
#[derive(Debug)]
pub enum Listed {
    /// The containers of an engine.
    Engine {
        /// Name of the engine in the settings.
        engine: String,
        /// Its instances, or why it did not say.
        instances: Result<Vec<FoundInstance>, Cause>,
    },
    /// The host ends of attachments.
    Attachments(Result<Vec<FoundAttachment>, Cause>),
    /// How many ports a bridge has left.
    Ports {
        /// Name of the bridge.
        bridge: String,
        /// The number; `None` when there is no such bridge.
        free: Result<Option<usize>, Cause>,
    },
}

/// An instance as an engine has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundInstance {
    /// The instance that it was made for.
    pub id: InstanceId,
    /// Its containers, the first one first. Copies that somebody made of a container come after it.
    pub containers: Vec<(ContainerRef, FoundState)>,
}

impl FoundInstance {
    /// Whether all its containers run and none is paused.
    pub fn runs(&self) -> bool {
        let mut states = self.containers.iter().map(|(_, state)| *state);
        !self.containers.is_empty() && states.all(|state| state == FoundState::Running)
    }
}

/// The state of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FoundState {
    /// It was made and never started.
    Created,
    /// Its first process runs.
    Running,
    /// Its processes are frozen.
    Paused,
    /// Its first process ended.
    Exited,
}

/// The host end of an attachment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundAttachment {
    /// The attachment that it is named after; `None` when its name is none that we give.
    pub attachment: Option<Id>,
    /// The instance that its mark names.
    pub instance: Option<InstanceId>,
    /// Name of the interface on the host.
    pub host_end: String,
    /// The network that it is a port of.
    pub network: Option<String>,
    /// Whether it is up.
    pub up: bool,
    /// Whether it is isolated from other isolated ports of its network.
    pub isolated: bool,
}
