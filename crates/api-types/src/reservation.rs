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
    /// The enterprise number of the remote-id.
    pub enterprise: u32,
    /// The identifier after the number.
    #[schemars(with = "scalar::OpaqueId")]
    pub id: OpaqueId,
}

/// A reservation to be made. It has exactly one key that identifies the client, and an address, a prefix or both, or SSH keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReservation {
    /// The link of the reservation.
    pub link: String,
    /// The client's DUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<scalar::Duid>")]
    pub duid: Option<Duid>,
    /// The client's link-layer address, from its relay agent (RFC 6939) or else from its DUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<scalar::LinkLayerAddress>")]
    pub link_layer_address: Option<LinkLayerAddress>,
    /// The remote-id that a relay agent adds to the client's messages (RFC 4649).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_id: Option<RemoteId>,
    /// The interface-id of the relay agent's interface towards the client (RFC 9915, section 21.18).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<scalar::OpaqueId>")]
    pub interface_id: Option<OpaqueId>,
    /// The reserved address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<scalar::Ipv6Address>")]
    pub address: Option<Ipv6Addr>,
    /// The reserved prefix, without bits beyond its length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<scalar::Ipv6Prefix>")]
    pub prefix: Option<Ipv6Net>,
    /// SSH keys that may log in to the client's instances, each one line. With some, address and prefix may be missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorized_keys: Vec<String>,
}

/// A reservation from the settings or the API. Exactly one of `duid`, `link_layer_address`, `remote_id` and
/// `interface_id` is present, and identifies the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReservationView {
    /// The reservation's id; `null` when it is from the settings.
    #[schemars(with = "Option<scalar::Id>")]
    pub id: Option<ReservationId>,
    /// The link of the reservation.
    pub link: String,
    /// The client's DUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "scalar::Duid")]
    pub duid: Option<Duid>,
    /// The client's link-layer address, from its relay agent (RFC 6939) or else from its DUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "scalar::LinkLayerAddress")]
    pub link_layer_address: Option<LinkLayerAddress>,
    /// The remote-id that a relay agent adds to the client's messages (RFC 4649).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "RemoteId")]
    pub remote_id: Option<RemoteId>,
    /// The interface-id of the relay agent's interface towards the client (RFC 9915, section 21.18).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "scalar::OpaqueId")]
    pub interface_id: Option<OpaqueId>,
    /// The reserved address.
    #[schemars(with = "Option<scalar::Ipv6Address>")]
    pub address: Option<Ipv6Addr>,
    /// The reserved prefix.
    #[schemars(with = "Option<scalar::Ipv6Prefix>")]
    pub prefix: Option<Ipv6Net>,
    /// SSH keys that may log in to the client's instances, each one line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorized_keys: Vec<String>,
    /// When it was made; `null` when it is from the settings.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub created: Option<Timestamp>,
    /// Whether it is in force: its link exists and allows it, and no reservation of the settings conflicts with it.
    pub in_force: bool,
}
