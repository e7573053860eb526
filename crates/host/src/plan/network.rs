//! Bridges, routes and policy of a host.

use std::fmt;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

use super::{PolicyItem, PolicyKey};

/// A part of a host's networks that one reconciler is responsible for.
///
/// Each part has a generation of its own, so that reconcilers do not wait for one another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkPart {
    /// All routes that carry our mark.
    Routes,
    /// The bridges of all networks without clients.
    Networks,
    /// The bridge of one link, by the link's name.
    Link(String),
    /// All that the host's packet filter lets pass.
    Policy,
}

impl fmt::Display for NetworkPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Routes => f.write_str("the routes"),
            Self::Networks => f.write_str("the networks"),
            Self::Link(name) => write!(f, "link {name}"),
            Self::Policy => f.write_str("the policy"),
        }
    }
}

/// A change of one part of a host's networks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkChange {
    /// Everything that is to be there in this part.
    Whole(Vec<NetworkItem>),
    /// What is different from the generation before.
    Difference {
        /// What is to be there.
        set: Vec<NetworkItem>,
        /// What is to be gone.
        remove: Vec<NetworkKey>,
    },
}

/// One thing in the networks of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkItem {
    /// A bridge.
    Bridge(BridgePlan),
    /// A route.
    Route(RoutePlan),
    /// One thing that the packet filter lets pass.
    Policy(PolicyItem),
}

/// What tells one thing in the networks of a host from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkKey {
    /// A bridge, by its name.
    Bridge(String),
    /// The route to this prefix through a neighbour.
    Route(Ipv6Net),
    /// The route that makes this prefix unreachable. A prefix may have both: the one through a neighbour takes precedence.
    Unreachable(Ipv6Net),
    /// One thing in the policy.
    Policy(PolicyKey),
}

impl NetworkItem {
    /// What tells it from others.
    pub fn key(&self) -> NetworkKey {
        match self {
            Self::Bridge(bridge) => NetworkKey::Bridge(bridge.name.clone()),
            Self::Route(route) => route.key(),
            Self::Policy(item) => NetworkKey::Policy(item.key()),
        }
    }
}

/// What a bridge is for. The bridge's mark says it, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BridgePurpose {
    /// A link with clients. Its bridge is never removed.
    Link,
    /// A network without clients. A bridge that we made for it can be removed.
    Network,
}

impl BridgePurpose {
    /// The word in the bridge's mark.
    pub fn word(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Network => "network",
        }
    }
}

/// What a bridge is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgePlan {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: BridgePurpose,
    /// Whether it is made when it is missing.
    pub create: bool,
    /// The host's address on it, with the length of the network's prefix.
    pub address: Option<Ipv6Net>,
    /// Further addresses of the host on it, at which the host serves something to the network.
    #[serde(default)]
    pub services: Vec<Ipv6Addr>,
    /// Its MTU in bytes, where it is one that we made; `None` leaves it as it is.
    pub mtu: Option<u32>,
    /// The link-layer address that hosts know it by; `None` as long as nobody has observed that.
    pub mac: Option<[u8; 6]>,
    /// The link-local address that hosts know it by; `None` as long as nobody has observed that.
    pub link_local: Option<Ipv6Addr>,
}

/// What a route is to be, or what a found route is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RoutePlan {
    /// Where it leads.
    pub prefix: Ipv6Net,
    /// The router and the network through which it is reached; `None` makes the prefix unreachable.
    pub via: Option<(Ipv6Addr, String)>,
}

impl RoutePlan {
    /// A route that makes a prefix unreachable.
    pub fn unreachable(prefix: Ipv6Net) -> Self {
        Self { prefix, via: None }
    }

    /// What tells it from other things in the networks of a host.
    pub fn key(&self) -> NetworkKey {
        match self.via {
            Some(_) => NetworkKey::Route(self.prefix),
            None => NetworkKey::Unreachable(self.prefix),
        }
    }
}

impl fmt::Display for RoutePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.via {
            Some((next_hop, network)) => write!(f, "via {next_hop} on {network}"),
            None => f.write_str("unreachable"),
        }
    }
}

impl fmt::Display for NetworkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bridge(name) => write!(f, "bridge {name}"),
            Self::Route(prefix) | Self::Unreachable(prefix) => write!(f, "the route to {prefix}"),
            Self::Policy(key) => key.fmt(f),
        }
    }
}

/// What came of a change of networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Applied {
    /// The host is at the new generation.
    Done,
    /// Nothing was changed: the host is at another generation than the difference begins at. Send the whole.
    NeedsWhole {
        /// The generation that the host is at; `None` when it has none yet.
        at: Option<u64>,
    },
}
