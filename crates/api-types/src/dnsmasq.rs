//! Events of dnsmasq.

use std::net::Ipv6Addr;

use orchestrator_model::{Duid, Iaid, LinkLayerAddress, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;
use crate::word::words;

words! {
    /// The kind of an event of dnsmasq.
    pub enum DnsmasqVerb {
        /// The lease is new.
        Add = "add",
        /// The lease existed before. It was renewed, or dnsmasq repeats it after a restart or SIGHUP.
        Old = "old",
        /// The lease is gone: it was released or has expired.
        Del = "del",
    }
}

/// A DHCPv6 lease event of dnsmasq, as `orchestrator hook dnsmasq` sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DnsmasqEvent {
    /// The version of this format: 1.
    pub version: u32,
    /// The kind of the event.
    pub verb: DnsmasqVerb,
    /// The client's DUID.
    #[schemars(with = "scalar::Duid")]
    pub duid: Duid,
    /// The client's identity association.
    #[schemars(with = "scalar::Iaid")]
    pub iaid: Iaid,
    /// The leased address.
    #[schemars(with = "scalar::Ipv6Address")]
    pub address: Ipv6Addr,
    /// The interface that the client is on. Empty where dnsmasq cannot name it; then the verb is not `add`.
    pub interface: String,
    /// When the lease ends, by dnsmasq's clock; absent for a lease without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub expires: Option<Timestamp>,
    /// Seconds that the lease has left; absent with `del`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u32>,
    /// The lifetime in seconds of the last grant or renewal, from a dnsmasq without a clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
    /// The client's link-layer address, where dnsmasq knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<scalar::LinkLayerAddress>")]
    pub link_layer: Option<LinkLayerAddress>,
    /// The client's host name, where it is a domain name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// When the hook ran, by the wall clock.
    #[schemars(with = "scalar::Timestamp")]
    pub at: Timestamp,
}

impl DnsmasqEvent {
    /// The version of this format.
    pub const VERSION: u32 = 1;
}
