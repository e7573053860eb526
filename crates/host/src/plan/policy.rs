//! What a host's packet filter is to let pass, as plain values.
//!
//! Everything that no item allows is dropped on a port that has a role: a port of a link that a [`LinkPolicy`] is for,
//! and a port of an instance. A port without a role is not touched.

use std::fmt;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

/// One thing in the policy of a host.
///
/// Each item has a key ([`PolicyItem::key`]). An item that is set replaces the one with the same key. Names of interfaces
/// have at most 15 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyItem {
    /// The bridge of a link or of a network.
    Link(LinkPolicy),
    /// The role of one port, in place of the role that its bridge gives to all ports.
    Port {
        /// The interface.
        port: String,
        /// Its role.
        role: PortRole,
    },
    /// An address or prefix that one client may speak for.
    Client(ClientBinding),
    /// An address or prefix that one port of an instance may speak for.
    Instance(InstanceBinding),
    /// A client and an instance that may speak with each other, about everything.
    Pair(Pair),
    /// An instance may connect to a socket of another instance.
    Peer {
        /// The instance that connects.
        from: Endpoint,
        /// The instance that is connected to.
        to: Endpoint,
        /// What it may connect to.
        traffic: Traffic,
    },
    /// All clients of the instance's link may connect to a socket of an instance.
    Open {
        /// The instance.
        to: Endpoint,
        /// What they may connect to.
        traffic: Traffic,
    },
    /// What an instance may connect to outside of all prefixes of links ([`LinkPolicy::prefix`]).
    Egress {
        /// The instance's address.
        address: Ipv6Addr,
        /// The destinations. Lists that are equal cost the kernel only one.
        to: Vec<Destination>,
    },
    /// What an instance sends to the world has the address of the host (masquerade).
    Nat {
        /// The instance's address.
        address: Ipv6Addr,
    },
    /// The most that an instance may send.
    Rate(PortRate),
    /// A socket of the host that all instances may connect to, such as DNS and metadata.
    Service {
        /// The host's address.
        address: Ipv6Addr,
        /// What they may connect to.
        traffic: Traffic,
    },
    /// Where a client comes to that connects to a front door.
    Door(Door),
}

/// What a policy is about: tells one item from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyKey {
    /// A link, by its bridge.
    Link(String),
    /// A port, by its name.
    Port(String),
    /// A client's address or prefix on a bridge.
    Client {
        /// The bridge.
        bridge: String,
        /// The client's link-layer address.
        mac: [u8; 6],
        /// The address or prefix.
        prefix: Ipv6Net,
    },
    /// An instance's address or prefix at a port.
    Instance {
        /// The port.
        port: String,
        /// The address or prefix.
        prefix: Ipv6Net,
    },
    /// A pair.
    Pair(Pair),
    /// A peer.
    Peer {
        /// The instance that connects.
        from: Endpoint,
        /// The instance that is connected to.
        to: Endpoint,
        /// What it may connect to.
        traffic: Traffic,
    },
    /// An open socket.
    Open {
        /// The instance.
        to: Endpoint,
        /// What may be connected to.
        traffic: Traffic,
    },
    /// The egress of an instance, by its address.
    Egress(Ipv6Addr),
    /// The masquerade of an instance, by its address.
    Nat(Ipv6Addr),
    /// The rate of a port, by its name.
    Rate(String),
    /// A service of the host.
    Service {
        /// The host's address.
        address: Ipv6Addr,
        /// What may be connected to.
        traffic: Traffic,
    },
    /// Where a source comes to at a front door.
    Door {
        /// The front door.
        front: Ipv6Addr,
        /// The client's address or prefix.
        source: Ipv6Net,
        /// The sockets; `None` for all that no other item names.
        traffic: Option<Traffic>,
    },
}

/// What a port of a bridge may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortRole {
    /// One client or many: only what is bound to them, and what a host sends before it has an address.
    Client,
    /// One instance: only what is bound to the port.
    Instance,
    /// One instance that belongs to nobody yet: only to the services of the host.
    Parked,
    /// A relay agent or a switch with one: as a client, but also relayed DHCPv6, and from any source.
    Relay,
    /// A router: anything but DHCPv6 server messages.
    Router,
    /// Anything: another switch of the operator, with servers behind it.
    Trusted,
}

/// How a link, or a network without clients, is filtered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkPolicy {
    /// Its bridge.
    pub bridge: String,
    /// Its prefix. What an instance sends to it is not egress, and is never masqueraded.
    pub prefix: Ipv6Net,
    /// The role of each port of the bridge that no [`PolicyItem::Port`] and no instance names, now and later.
    pub others: PortRole,
    /// Whether clients may also speak from addresses of the prefix, and link-local ones, that are bound to nobody: hosts
    /// form them by themselves. A link-layer address that is bound to a port may do so only there.
    pub unbound: bool,
    /// Whether clients may speak with each other through the bridge.
    pub clients_together: bool,
    /// Whether IPv4 and ARP of clients pass, unfiltered. Those of instances never do.
    pub ipv4: bool,
    /// Whether what is not allowed is dropped. Otherwise it is counted, and passes.
    pub enforce: bool,
}

/// An address or prefix that one client may speak for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientBinding {
    /// The bridge of its link.
    pub bridge: String,
    /// The port where it was recorded; `None` if it may be behind any port of the link.
    pub port: Option<String>,
    /// Its link-layer address.
    pub mac: [u8; 6],
    /// An address with 128 bits (leased, registered, formed by itself, or link-local), or a delegated prefix.
    pub prefix: Ipv6Net,
}

/// An address or prefix that one port of an instance may speak for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceBinding {
    /// The bridge that the port is on.
    pub bridge: String,
    /// The host end of the attachment.
    pub port: String,
    /// The link-layer address of the interface inside.
    pub mac: [u8; 6],
    /// An address with 128 bits (its own, or the link-local one), or a prefix that is routed to it.
    pub prefix: Ipv6Net,
}

/// A client and an instance that may speak with each other.
///
/// On the bridge their link-layer addresses count; what the host routes between them counts by address. A client with
/// several addresses and prefixes has a pair for each.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pair {
    /// The client's link-layer address; `None` for a client that is not on the bridge of the instance.
    pub client: Option<[u8; 6]>,
    /// The client's address or prefix.
    pub source: Ipv6Net,
    /// The instance.
    pub instance: Endpoint,
}

/// An instance as one that is spoken with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Endpoint {
    /// The host end of the attachment.
    pub port: String,
    /// The link-layer address of the interface inside.
    pub mac: [u8; 6],
    /// Its address. The link-local one follows from the link-layer address.
    pub address: Ipv6Addr,
}

/// A protocol with ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// The sockets that may be connected to: a protocol and a range of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Traffic {
    /// The protocol.
    pub protocol: Protocol,
    /// The first port.
    pub first: u16,
    /// The last port, not below the first.
    pub last: u16,
}

/// Where an instance may connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Destination {
    /// The addresses. Echo requests to them pass, too.
    pub prefix: Ipv6Net,
    /// The sockets; `None` for everything.
    pub traffic: Option<Traffic>,
}

/// The most that an instance may send. What exceeds it is dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRate {
    /// The host end of the attachment.
    pub port: String,
    /// Packets a second; `None` for no limit.
    pub packets: Option<u32>,
    /// Bytes a second; `None` for no limit.
    pub bytes: Option<u64>,
}

/// Where a client comes to that connects to a front door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Door {
    /// The address of the front door, which the host has.
    pub front: Ipv6Addr,
    /// The client's address or prefix. A [`Pair`] lets it pass to the instance.
    pub source: Ipv6Net,
    /// The sockets that lead there; `None` for all that no other door of this source names.
    pub traffic: Option<Traffic>,
    /// The instance's address.
    pub instance: Ipv6Addr,
}

impl PolicyItem {
    /// What tells it from others.
    pub fn key(&self) -> PolicyKey {
        match self {
            Self::Link(link) => PolicyKey::Link(link.bridge.clone()),
            Self::Port { port, .. } => PolicyKey::Port(port.clone()),
            Self::Client(client) => PolicyKey::Client {
                bridge: client.bridge.clone(),
                mac: client.mac,
                prefix: client.prefix,
            },
            Self::Instance(instance) => PolicyKey::Instance {
                port: instance.port.clone(),
                prefix: instance.prefix,
            },
            Self::Pair(pair) => PolicyKey::Pair(pair.clone()),
            Self::Peer { from, to, traffic } => PolicyKey::Peer {
                from: from.clone(),
                to: to.clone(),
                traffic: *traffic,
            },
            Self::Open { to, traffic } => PolicyKey::Open {
                to: to.clone(),
                traffic: *traffic,
            },
            Self::Egress { address, .. } => PolicyKey::Egress(*address),
            Self::Nat { address } => PolicyKey::Nat(*address),
            Self::Rate(rate) => PolicyKey::Rate(rate.port.clone()),
            Self::Service { address, traffic } => PolicyKey::Service {
                address: *address,
                traffic: *traffic,
            },
            Self::Door(door) => PolicyKey::Door {
                front: door.front,
                source: door.source,
                traffic: door.traffic,
            },
        }
    }
}

impl fmt::Display for PolicyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(bridge) => write!(f, "the policy of bridge {bridge}"),
            Self::Port(port) => write!(f, "the role of port {port}"),
            Self::Client { bridge, prefix, .. } => write!(f, "the binding of {prefix} on {bridge}"),
            Self::Instance { port, prefix } => write!(f, "the binding of {prefix} at port {port}"),
            Self::Pair(pair) => write!(f, "the pair {} and {}", pair.source, pair.instance.address),
            Self::Peer { from, to, traffic } => {
                write!(f, "the peers {} and {} ({traffic})", from.address, to.address)
            }
            Self::Open { to, traffic } => write!(f, "the opening of {} ({traffic})", to.address),
            Self::Egress(address) => write!(f, "the egress of {address}"),
            Self::Nat(address) => write!(f, "the masquerade of {address}"),
            Self::Rate(port) => write!(f, "the rate of port {port}"),
            Self::Service { address, traffic } => write!(f, "the service {address} ({traffic})"),
            Self::Door { front, source, .. } => write!(f, "the front door {front} for {source}"),
        }
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        match self.first == self.last {
            true => write!(f, "{protocol}/{}", self.first),
            false => write!(f, "{protocol}/{}-{}", self.first, self.last),
        }
    }
}
