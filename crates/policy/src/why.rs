//! Why something is allowed.

use std::fmt;

use ipnet::Ipv6Net;
use orchestrator_model::{InstanceId, LeaseSource, Slot};

/// Why something is allowed, in words for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The settings of the link say so.
    Link(String),
    /// Every instance may use a service of this machine.
    Service,
    /// A lease.
    Lease {
        /// The leased address or prefix.
        prefix: Ipv6Net,
        /// Where it came from.
        source: LeaseSource,
    },
    /// The client asked for its lease from this link-local address.
    Asked,
    /// It is an address of the instance, or a prefix that is routed to it.
    Instance {
        /// The instance.
        id: InstanceId,
        /// Its slot.
        slot: Slot,
    },
    /// The instance is the client's own.
    Own {
        /// The instance.
        id: InstanceId,
        /// Its slot.
        slot: Slot,
    },
    /// The template said so when the instance was made.
    Template {
        /// The name of the template.
        name: String,
        /// The key of the template.
        key: &'static str,
    },
    /// The instance is a balancer, which leads connections to services.
    Balancer {
        /// The balancer.
        id: InstanceId,
    },
    /// The instance belongs to nobody yet.
    Parked,
    /// The instance is ready, and its link has a front door.
    Ready {
        /// The instance.
        id: InstanceId,
        /// Its slot.
        slot: Slot,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(link) => write!(f, "settings of link {link}"),
            Self::Service => f.write_str("every instance may use it"),
            Self::Lease { prefix, source } => match source {
                LeaseSource::Listener | LeaseSource::Dnsmasq if prefix.prefix_len() < 128 => {
                    write!(f, "delegated by {source}")
                }
                LeaseSource::Listener | LeaseSource::Dnsmasq => write!(f, "leased by {source}"),
                LeaseSource::Registration => f.write_str("registered by the client"),
                LeaseSource::Neighbor => f.write_str("seen on the link"),
            },
            Self::Asked => f.write_str("the client asked for its lease from it"),
            Self::Instance { id, slot } => write!(f, "instance {id} ({slot})"),
            Self::Own { id, slot } => write!(f, "its own instance {id} ({slot})"),
            Self::Template { name, key } => write!(f, "{key} of template {name}"),
            Self::Balancer { id } => write!(f, "instance {id} is a balancer, which leads to services"),
            Self::Parked => f.write_str("the instance belongs to nobody yet"),
            Self::Ready { id, slot } => write!(f, "instance {id} ({slot}) is ready"),
        }
    }
}
