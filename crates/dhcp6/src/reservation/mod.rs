//! Reservations: an address, a prefix, or both, for one client.
//!
//! - No other client ever gets it, in a pool or not. A client that holds it when it is reserved keeps it until its next
//!   renewal or the end of its lease.
//! - Its client gets it at its next message, if nobody holds it then. With that message, the client's former lease
//!   ends.
//! - If a client has several identity associations of a type, the one that holds the reservation keeps it. Otherwise
//!   the first one in the message gets it. The others get leases from the pools.
//! - If several reservations fit a client, the first of these counts: by DUID, by link-layer address, by remote-id, by
//!   interface-id.

mod concerned;
mod table;

use std::fmt;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

use crate::leased::Kind;
use crate::{Duid, Leased, LinkLayerAddress, OpaqueId};

pub use table::{ReservationConflict, Reservations};

/// A reservation for one client of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The client of the reservation.
    #[serde(flatten)]
    pub holder: Holder,
    /// The reserved address.
    pub address: Option<Ipv6Addr>,
    /// The reserved prefix, without host bits.
    pub prefix: Option<Ipv6Net>,
}

/// The client of a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// The client with this DUID.
    Duid(Duid),
    /// The client with this link-layer address, from the relay agent (RFC 6939) or else from the DUID.
    #[serde(rename = "link_layer_address")]
    LinkLayer(LinkLayerAddress),
    /// The client behind this remote-id (RFC 4649).
    RemoteId {
        /// The enterprise number of the remote-id.
        enterprise: u32,
        /// The identifier after the number.
        id: OpaqueId,
    },
    /// The client behind the relay agent's interface with this interface-id (RFC 9915, section 21.18).
    InterfaceId(OpaqueId),
}

impl Reservation {
    /// The reserved address or prefix.
    pub(crate) fn of(&self, kind: Kind) -> Option<Leased> {
        match kind {
            Kind::Address => self.address.map(Leased::Address),
            Kind::Prefix => self.prefix.map(Leased::from),
        }
    }

    /// Whether this whole address or prefix is reserved.
    pub(crate) fn keeps(&self, leased: Leased) -> bool {
        self.of(leased.kind()) == Some(leased)
    }

    /// The reserved address and prefix.
    pub(crate) fn leased(&self) -> impl Iterator<Item = Leased> {
        [self.of(Kind::Address), self.of(Kind::Prefix)].into_iter().flatten()
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duid(duid) => write!(f, "DUID {duid}"),
            Self::LinkLayer(address) => write!(f, "link-layer address {address}"),
            Self::RemoteId { enterprise, id } => write!(f, "remote-id {id} of enterprise {enterprise}"),
            Self::InterfaceId(id) => write!(f, "interface-id {id}"),
        }
    }
}
