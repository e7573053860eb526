//! Everything on a host that bears our mark.

use orchestrator_plugin::{Id, InstanceId};
use serde::{Deserialize, Serialize};

use crate::{Cause, ContainerRef, RoutePlan};

/// The scope of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRequest {
    /// The engines to ask; none is asked that is not named here.
    pub engines: Vec<String>,
    /// Whether to list attachments.
    pub attachments: bool,
    /// The bridges whose free ports are to be counted.
    pub ports_of: Vec<String>,
    /// The bridges that are to be found.
    pub bridges: Vec<String>,
    /// Whether to list the bridges that we made for networks without clients.
    pub made_bridges: bool,
    /// Whether to list the routes that carry our mark.
    pub routes: bool,
    /// Whether to ask if the host passes on packets between its networks.
    pub forwarding: bool,
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
    /// Whether there is a bridge.
    Bridge {
        /// Name of the bridge.
        bridge: String,
        /// Whether it is there; an error where something else has its name.
        there: Result<bool, Cause>,
    },
    /// The bridges that we made for networks without clients.
    MadeBridges(Result<Vec<FoundBridge>, Cause>),
    /// The routes that carry our mark, in no order.
    Routes(Result<Vec<RoutePlan>, Cause>),
    /// Whether the host passes on IPv6 packets between its networks.
    Forwarding(Result<bool, Cause>),
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

/// A bridge that we made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundBridge {
    /// Its name.
    pub name: String,
    /// The number of its ports.
    pub ports: usize,
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
    /// The bridge that it is a port of.
    pub bridge: Option<String>,
    /// Whether it is up.
    pub up: bool,
    /// Whether it is isolated from other isolated ports of its bridge.
    pub isolated: bool,
    /// Whether its port has the further settings that belong to that.
    pub guarded: bool,
}
