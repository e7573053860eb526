//! What bears the mark of a site on a machine.

use std::fmt;
use std::net::Ipv6Addr;

use orchestrator_plugin::{Id, InstanceId};

use crate::{Cause, ContainerRef, RoutePlan};

/// One thing that bears the mark of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkedThing {
    /// A container on an engine.
    Container(ContainerRef),
    /// The host end of an instance's interface, or one of the interfaces that join bridges.
    Interface {
        /// Its name.
        name: String,
        /// The instance in its mark, if it is one.
        instance: Option<InstanceId>,
    },
    /// A network namespace that was made before its container.
    Namespace(InstanceId),
    /// A route.
    Route(RoutePlan),
    /// An address of a link's bridge at which the daemon serves something: front door, portal or metadata.
    Address {
        /// The bridge.
        bridge: String,
        /// The address.
        address: Ipv6Addr,
    },
    /// The tables of the packet filter.
    Rules,
    /// A bridge that the daemon made.
    Bridge {
        /// Its name.
        name: String,
        /// Its mark.
        mark: String,
    },
    /// The directory of a volume.
    Volume(Id),
}

impl MarkedThing {
    /// The kind of thing, as a word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Container(_) => "container",
            Self::Interface { .. } => "interface",
            Self::Namespace(_) => "namespace",
            Self::Route(_) => "route",
            Self::Address { .. } => "address",
            Self::Rules => "rules",
            Self::Bridge { .. } => "bridge",
            Self::Volume(_) => "volume",
        }
    }

    /// The instance that it was made for, if it was.
    pub const fn instance(&self) -> Option<InstanceId> {
        match self {
            Self::Container(container) => Some(container.instance),
            Self::Interface { instance, .. } => *instance,
            Self::Namespace(instance) => Some(*instance),
            Self::Route(_) | Self::Address { .. } | Self::Rules | Self::Bridge { .. } | Self::Volume(_) => None,
        }
    }
}

impl fmt::Display for MarkedThing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container(one) => write!(
                f,
                "container {} of instance {} on engine {}",
                one.name, one.instance, one.engine
            ),
            Self::Interface { name, .. } => write!(f, "interface {name}"),
            Self::Namespace(instance) => write!(f, "network namespace of instance {instance}"),
            Self::Route(route) => route.key().fmt(f),
            Self::Address { bridge, address } => write!(f, "address {address} of bridge {bridge}"),
            Self::Rules => f.write_str("tables of the packet filter"),
            Self::Bridge { name, .. } => write!(f, "bridge {name}"),
            Self::Volume(volume) => write!(f, "volume {volume}"),
        }
    }
}

/// What was found that bears the mark of a site.
#[derive(Debug, Default)]
pub struct Marked {
    /// The things, in an order in which they can be removed.
    pub things: Vec<MarkedThing>,
    /// What could not be listed, such as the containers of an engine that does not answer, and why.
    pub unseen: Vec<(String, Cause)>,
}
