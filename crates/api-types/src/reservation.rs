//! Reservations.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_model::{Duid, LinkLayerAddress, OpaqueId, ReservationId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;

/// A remote-id, which a relay agent adds to a client's messages (RFC 4649).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoteId {
    /// The enterprise number in it.
    pub enterprise: u32,
    /// The identifier after the number.
    #[schemars(with = "scalar::OpaqueId")]
    pub id: OpaqueId,
}

/// A reservation to be made: exactly one key that says which client, and an address, a prefix or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReservation {
    /// The link on which it holds.
    pub link: String,
    /// The client with this DUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<scalar::Duid>")]
    pub duid: Option<Duid>,
    /// The client with this link-layer address, as its relay saw it (RFC 6939), or else as its DUID has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<scalar::LinkLayerAddress>")]
    pub link_layer_address: Option<LinkLayerAddress>,
    /// The client behind the place with this remote-id (RFC 4649).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_id: Option<RemoteId>,
    /// The client behind the relay's interface with this interface-id (RFC 9915, section 21.18).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<scalar::OpaqueId>")]
    pub interface_id: Option<OpaqueId>,
    /// The address that the client gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<scalar::Ipv6Address>")]
    pub address: Option<Ipv6Addr>,
    /// The prefix that the client gets, without bits beyond its length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<scalar::Ipv6Prefix>")]
    pub prefix: Option<Ipv6Net>,
}

/// A reservation, wherever it was made. Exactly one of `duid`, `link_layer_address`, `remote_id` and `interface_id` is
/// there, and says which client it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReservationView {
    /// The reservation's id; `null` when the settings make it.
    #[schemars(with = "Option<scalar::Id>")]
    pub id: Option<ReservationId>,
    /// The link on which it holds.
    pub link: String,
    /// The client with this DUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "scalar::Duid")]
    pub duid: Option<Duid>,
    /// The client with this link-layer address, as its relay saw it (RFC 6939), or else as its DUID has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "scalar::LinkLayerAddress")]
    pub link_layer_address: Option<LinkLayerAddress>,
    /// The client behind the place with this remote-id (RFC 4649).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "RemoteId")]
    pub remote_id: Option<RemoteId>,
    /// The client behind the relay's interface with this interface-id (RFC 9915, section 21.18).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "scalar::OpaqueId")]
    pub interface_id: Option<OpaqueId>,
    /// The address that the client gets.
    #[schemars(with = "Option<scalar::Ipv6Address>")]
    pub address: Option<Ipv6Addr>,
    /// The prefix that the client gets.
    #[schemars(with = "Option<scalar::Ipv6Prefix>")]
    pub prefix: Option<Ipv6Net>,
    /// When it was made; `null` when the settings make it.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub created: Option<Timestamp>,
    /// Whether it is in force: the settings have its link, it suits them, and none of theirs conflicts with it.
    pub in_force: bool,
}
