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
    /// What has become of a lease.
    pub enum LeaseState {
        /// Its client holds it until its valid lifetime ends.
        Active = "active",
        /// Its client gave it back. It is remembered, so that the client gets the same again when it returns.
        Released = "released",
        /// Its valid lifetime ended. It is remembered likewise.
        Expired = "expired",
        /// Its client found the address in use by another machine. Nobody is given it until `valid_until`.
        Declined = "declined",
    }
}

/// Where on its link a client is that a lease was granted to, as far as the lease's source knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GrantedTo {
    /// The link-layer address that the client's message came from.
    #[schemars(with = "Option<scalar::LinkLayerAddress>")]
    pub link_layer: Option<LinkLayerAddress>,
    /// The link-local address that the client's message came from.
    #[schemars(with = "Option<scalar::Ipv6Address>")]
    pub link_local: Option<Ipv6Addr>,
    /// The port of the bridge that the client's message came in by.
    pub port: Option<String>,
}

/// One address or one prefix that one client holds or held. Either `address` or `prefix` is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lease {
    /// The link that it is on.
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
    /// What has become of it.
    pub state: LeaseState,
    /// The router towards a delegated prefix: its client's link-local address. `null` for addresses, and where a relay
    /// agent routes.
    #[serde(default)]
    #[schemars(with = "Option<scalar::Ipv6Address>")]
    pub next_hop: Option<Ipv6Addr>,
    /// Where its client was when it was last granted or extended.
    #[serde(default)]
    pub granted_to: GrantedTo,
    /// When it stops being preferred.
    #[schemars(with = "scalar::Timestamp")]
    pub preferred_until: Timestamp,
    /// When it ends unless it is renewed; for a declined one, when its quarantine ends.
    #[schemars(with = "scalar::Timestamp")]
    pub valid_until: Timestamp,
    /// When it was granted.
    #[schemars(with = "scalar::Timestamp")]
    pub granted: Timestamp,
    /// When its last event came.
    #[schemars(with = "scalar::Timestamp")]
    pub changed: Timestamp,
}

/// A lease, and who holds it.
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
