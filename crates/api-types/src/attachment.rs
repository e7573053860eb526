//! Interfaces of instances.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_model::{AttachmentId, MacAddress};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;

/// An interface of an instance on a network, as it was planned with the instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attachment {
    /// The attachment's id. The interface on the host is called `or` and the id.
    #[schemars(with = "scalar::Id")]
    pub id: AttachmentId,
    /// The container whose namespace has the interface.
    pub container: String,
    /// The network that it is on: a link or a network of the settings, by its name.
    pub network: String,
    /// The network's bridge.
    #[serde(default)]
    pub bridge: String,
    /// The name of the interface inside.
    pub interface: String,
    /// Its address; `null` while that is pending.
    #[schemars(with = "Option<scalar::Ipv6Address>")]
    pub address: Option<Ipv6Addr>,
    /// The length of the network's prefix, in bits.
    pub prefix_length: u8,
    /// The next hop of the default route; `null` when the interface has no default route.
    #[schemars(with = "Option<scalar::Ipv6Address>")]
    pub gateway: Option<Ipv6Addr>,
    /// Whether the interface is isolated: it cannot reach other isolated interfaces of the network.
    pub isolated: bool,
    /// The link-layer address of the interface inside the container.
    #[schemars(with = "scalar::LinkLayerAddress")]
    pub mac: MacAddress,
    /// Prefixes that are routed to it.
    #[schemars(with = "Vec<scalar::Ipv6Prefix>")]
    pub routed: Vec<Ipv6Net>,
}
