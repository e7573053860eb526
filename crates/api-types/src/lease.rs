//! Leases.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_model::{ClientId, Duid, Iaid, LinkLayerAddress, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;
use crate::word::words;

words! {
    /// Where the events of a lease come from.
    pub enum LeaseSource {
        /// The daemon's own DHCPv6 server.
        Listener = "listener",
        /// dnsmasq, through its `dhcp-script`.
        Dnsmasq = "dnsmasq",
        /// A host that made its address itself and registered it with the daemon's DHCPv6 server (RFC 9686).
        Registration = "registration",
        /// A host that made its address itself and was seen on the link.
        Neighbor = "neighbor",
    }
}

words! {
    /// The state of a lease.
    pub enum LeaseState {
        /// The client holds the lease until its valid lifetime ends.
        Active = "active",
        /// The client released the lease. The daemon remembers it, so that the client gets the same one when it
        /// returns.
        Released = "released",
        /// The valid lifetime ended. The daemon remembers the lease as if it had been released.
        Expired = "expired",
        /// The client found the address in use by another machine. The daemon grants it to nobody until `valid_until`.
        Declined = "declined",
    }
}

/// The place of a client on its link when a lease was granted, as far as the lease's source knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GrantedTo {
    /// The link-layer address that the client's message came from.
    #[schemars(with = "Option<scalar::LinkLayerAddress>")]
    pub link_layer: Option<LinkLayerAddress>,
    /// The link-local address that the client's message came from; for a relayed client the peer address of the relay
    /// agent next to it.
    #[schemars(with = "Option<scalar::Ipv6Address>")]
    pub link_local: Option<Ipv6Addr>,
    /// The bridge port on which the client's message arrived.
    pub port: Option<String>,
    /// The address that the relay agent next to the server sent from. `null` for a client without relay agents.
    #[serde(default)]
    #[schemars(with = "Option<scalar::Ipv6Address>")]
    pub relay: Option<Ipv6Addr>,
}

/// A lease: one address or one prefix that a client holds or held. Either `address` or `prefix` is present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lease {
    /// The link of the lease.
    pub link: String,
    /// The leased address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "scalar::Ipv6Address")]
    pub address: Option<Ipv6Addr>,
    /// The delegated prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "scalar::Ipv6Prefix")]
    pub prefix: Option<Ipv6Net>,
    /// The client that holds it.
    #[schemars(with = "scalar::Id")]
    pub client: ClientId,
    /// The client's DUID.
    #[schemars(with = "scalar::Duid")]
    pub duid: Duid,
    /// The client's identity association (RFC 9915, section 12).
    #[schemars(with = "scalar::Iaid")]
    pub iaid: Iaid,
    /// Where its events come from.
    pub source: LeaseSource,
    /// The state of the lease.
    pub state: LeaseState,
    /// The next hop towards a delegated prefix: its client's link-local address. `null` for addresses, and when a relay
    /// agent routes the prefix.
    #[serde(default)]
    #[schemars(with = "Option<scalar::Ipv6Address>")]
    pub next_hop: Option<Ipv6Addr>,
    /// The client's place when the lease was last granted or extended.
    #[serde(default)]
    pub granted_to: GrantedTo,
    /// When the preferred lifetime ends.
    #[schemars(with = "scalar::Timestamp")]
    pub preferred_until: Timestamp,
    /// When the valid lifetime ends unless the lease is renewed. For a declined lease: when its quarantine ends.
    #[schemars(with = "scalar::Timestamp")]
    pub valid_until: Timestamp,
    /// When the lease was granted.
    #[schemars(with = "scalar::Timestamp")]
    pub granted: Timestamp,
    /// When the last event of the lease came.
    #[schemars(with = "scalar::Timestamp")]
    pub changed: Timestamp,
}

/// A lease and its client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeaseView {
    /// The lease, with its client's DUID.
    #[serde(flatten)]
    pub lease: Lease,
    /// Its client's host name.
    #[serde(default)]
    pub hostname: Option<String>,
    /// Its client's link-layer address.
    #[serde(default)]
    #[schemars(with = "Option<scalar::LinkLayerAddress>")]
    pub link_layer: Option<LinkLayerAddress>,
}
