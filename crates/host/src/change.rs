//! Changes that a host reports by itself.

use std::time::Duration;

use orchestrator_plugin::{EngineFacts, InstanceId};

use crate::RoutePlan;

/// The part of a host that is watched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum WatchScope {
    /// The engine of this name. It is asked nothing as long as nobody watches it.
    Engine(String),
    /// Its bridges and the host ends of attachments.
    Networks,
    /// All its interfaces and their addresses.
    Interfaces,
    /// Its routes that carry our mark.
    Routes,
    /// Its packet filter. The host repairs that by itself while it is watched.
    Policy,
}

/// Something happened on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostChange {
    /// Something happened to this instance: see it.
    Instance(InstanceId),
    /// The engine answers from now on, or again. Anything may have happened in it before.
    EngineUp {
        /// Name of the engine in the settings.
        engine: String,
        /// The engine's name and version.
        facts: EngineFacts,
    },
    /// The engine answers again what it had left unanswered. Nothing of what happened in it was missed.
    EngineAnswers {
        /// Name of the engine in the settings.
        engine: String,
    },
    /// The engine fails what it is asked while its stream of events is open.
    EngineFails {
        /// Name of the engine in the settings.
        engine: String,
        /// Why, and what to do, for people.
        reason: String,
        /// Whether it accepts requests and does not answer them.
        hangs: bool,
        /// The pause before it is asked again.
        again_in: Duration,
    },
    /// Anything may have changed in the networks of the host.
    Networks,
    /// This bridge is up, and was not before.
    BridgeUp {
        /// Its name.
        name: String,
    },
    /// A bridge has a port less, so that there may be room for another one.
    PortFreed,
    /// Anything may have changed about interfaces and their addresses.
    Interfaces,
    /// Somebody else has removed or changed rules of the packet filter. Apply the whole policy: what the host could
    /// restore by itself is in force again.
    Policy,
    /// Anything may have changed about routes.
    Routes,
    /// This route is gone, whoever removed it.
    RouteGone(RoutePlan),
}
