//! Bridges, routes and policy of a host.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

/// A change of the networks of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkChange {
    /// Everything that is to be there.
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
    /// A link-layer address and a prefix that only one port of a network may speak for.
    Binding {
        /// Name of the network.
        network: String,
        /// The interface that is the port.
        port: String,
        /// The link-layer address.
        mac: [u8; 6],
        /// The address or prefix.
        prefix: Ipv6Net,
    },
}

/// What tells one thing in the networks of a host from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkKey {
    /// A bridge, by its name.
    Bridge(String),
    /// The route to this prefix.
    Route(Ipv6Net),
    /// The binding of this prefix on a network.
    Binding {
        /// Name of the network.
        network: String,
        /// The address or prefix.
        prefix: Ipv6Net,
    },
}

impl NetworkItem {
    /// What tells it from others.
    pub fn key(&self) -> NetworkKey {
        match self {
            Self::Bridge(bridge) => NetworkKey::Bridge(bridge.name.clone()),
            Self::Route(route) => NetworkKey::Route(route.prefix),
            Self::Binding { network, prefix, .. } => NetworkKey::Binding {
                network: network.clone(),
                prefix: *prefix,
            },
        }
    }
}

/// What a bridge is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgePlan {
    /// Its name.
    pub name: String,
    /// Whether it is made when it is missing.
    pub create: bool,
    /// The host's address on it, with the length of the network's prefix.
    pub address: Option<Ipv6Net>,
}

/// What a route is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutePlan {
    /// Where it leads.
    pub prefix: Ipv6Net,
    /// The router and the network through which it is reached; `None` makes the prefix unreachable.
    pub via: Option<(Ipv6Addr, String)>,
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
