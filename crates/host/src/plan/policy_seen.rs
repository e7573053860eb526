//! What a host's packet filter has counted.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv6Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why a packet was not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropCause {
    /// A protocol other than IPv6.
    Ethernet,
    /// A chain of headers that hides something: fragments of neighbour discovery, unknown or cut headers.
    Header,
    /// A routing header.
    RoutingHeader,
    /// A router advertisement.
    RouterAdvertisement,
    /// A redirect.
    Redirect,
    /// A multicast listener query.
    ListenerQuery,
    /// A DHCPv6 message that only servers send.
    DhcpServer,
    /// A relayed DHCPv6 message from a port that is not for relay agents.
    Relay,
    /// Neighbour discovery that speaks for somebody else, or is malformed.
    Neighbor,
    /// A source address that is not bound to the sender.
    Source,
    /// A sender that is bound to another port.
    Place,
    /// More neighbour discovery or multicast than a host sends.
    Flood,
    /// More than the instance may send.
    Rate,
    /// Traffic of a client with an instance that is not its own, or of two instances.
    Pair,
    /// Traffic of two clients where they are kept apart.
    Clients,
    /// Traffic of an instance with the world that its template does not allow.
    Egress,
    /// Traffic of an instance with the host that is for none of its services.
    Host,
}

impl DropCause {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Ethernet,
        Self::Header,
        Self::RoutingHeader,
        Self::RouterAdvertisement,
        Self::Redirect,
        Self::ListenerQuery,
        Self::DhcpServer,
        Self::Relay,
        Self::Neighbor,
        Self::Source,
        Self::Place,
        Self::Flood,
        Self::Rate,
        Self::Pair,
        Self::Clients,
        Self::Egress,
        Self::Host,
    ];

    /// A stable word for the API and for metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Ethernet => "ethernet",
            Self::Header => "header",
            Self::RoutingHeader => "routing-header",
            Self::RouterAdvertisement => "router-advertisement",
            Self::Redirect => "redirect",
            Self::ListenerQuery => "listener-query",
            Self::DhcpServer => "dhcp-server",
            Self::Relay => "relay",
            Self::Neighbor => "neighbor",
            Self::Source => "source",
            Self::Place => "place",
            Self::Flood => "flood",
            Self::Rate => "rate",
            Self::Pair => "pair",
            Self::Clients => "clients",
            Self::Egress => "egress",
            Self::Host => "host",
        }
    }
}

impl DropCause {
    /// What it means, in one sentence for operators.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Ethernet => "a protocol other than IPv6",
            Self::Header => "headers that hide something: fragments of neighbor discovery, unknown or cut headers",
            Self::RoutingHeader => "a routing header",
            Self::RouterAdvertisement => "a router advertisement; a port with a router belongs in router_ports",
            Self::Redirect => "a redirect",
            Self::ListenerQuery => "a multicast listener query, which only routers send",
            Self::DhcpServer => "a DHCPv6 message that only servers send",
            Self::Relay => "a relayed DHCPv6 message; a port with a relay agent belongs in relay_ports",
            Self::Neighbor => "neighbor discovery that speaks for somebody else's address, or is malformed",
            Self::Source => "a source address that is not bound to the sender",
            Self::Place => "a source address that is bound to another port of the bridge",
            Self::Flood => "more neighbor discovery or multicast than a host sends",
            Self::Rate => "more than packet_rate or byte_rate of the template allows",
            Self::Pair => "traffic with an instance that is not the client's own, or between two instances",
            Self::Clients => "traffic between two clients on a link with isolate_clients",
            Self::Egress => "traffic of an instance with the world that `egress` of its template does not name",
            Self::Host => "traffic of an instance with this machine that is neither DNS nor metadata",
        }
    }
}

impl fmt::Display for DropCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Packets and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Bytes, with their headers.
    pub bytes: u64,
}

/// Why the rules of a packet filter were made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RebuildReason {
    /// The daemon started.
    Start,
    /// Another program had removed or changed them, as the kernel reported.
    Foreign,
    /// A comparison of everything found something that was not as it was left.
    Mismatch,
    /// The kernel refused a change, so that everything was compared.
    Failure,
}

impl RebuildReason {
    /// A stable word for metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Foreign => "foreign",
            Self::Mismatch => "mismatch",
            Self::Failure => "failure",
        }
    }
}

/// What a host's packet filter has counted. Where a link does not enforce its policy, what would have been dropped.
///
/// Counts begin at zero when the rules are made anew, and those of a port or a client when nothing was counted for a day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyCounts {
    /// What was dropped, by cause.
    pub causes: BTreeMap<DropCause, Count>,
    /// What was dropped that came from a port, by the port's name and cause. Instances are known by their ports. What was
    /// dropped while the host routed it is under the sender's bridge.
    pub ports: BTreeMap<String, BTreeMap<DropCause, Count>>,
    /// What was dropped of a bound client, by its link-layer address and cause.
    pub clients: BTreeMap<[u8; 6], BTreeMap<DropCause, Count>>,
    /// What was dropped while the host routed it, by the instance's address.
    pub routed: BTreeMap<Ipv6Addr, BTreeMap<DropCause, Count>>,
    /// What passed between clients and an instance, by the name of the instance's port: without neighbour discovery,
    /// multicast, and what the host itself sends.
    pub used: BTreeMap<String, Count>,
    /// How often the rules were made anew because somebody else had removed or changed them.
    pub rebuilt: u64,
    /// How often the rules were made anew since the daemon started, by reason.
    pub rebuilds: BTreeMap<RebuildReason, u64>,
    /// How long ago all that is in the packet filter was compared with what is to be there; `None` before the first time.
    pub compared: Option<Duration>,
    /// How many elements each set is to have, by family and name, such as `bridge/o_pair`.
    pub elements: BTreeMap<String, usize>,
    /// The port of each address in `routed`, as far as it is known.
    pub routed_ports: BTreeMap<Ipv6Addr, String>,
    /// The bridge of each of these ports, and of those in `ports`, as far as it is known; of an instance, that of its link.
    pub bridges: BTreeMap<String, String>,
}
