//! What is kept for one client: an address, a prefix, or both.
//!
//! - Nobody else is ever given it, be it in a pool or not; and who holds it when it is reserved keeps it until its lease
//!   ends or its next renewal, whichever comes first.
//! - Its client is given it at its next message, if nobody holds it then; until then it has what others have. What it
//!   had before has ended with that message.
//! - Of a client with several identity associations of a type, the one that holds it keeps it, else the first in its
//!   message is given it. The others have what others have.
//! - Where several reservations fit a client, it has the first of: by DUID, link-layer address, remote-id, interface-id.

mod concerned;
mod table;

use std::fmt;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

use crate::leased::Kind;
use crate::{Duid, Leased, LinkLayerAddress, OpaqueId};

pub use table::{ReservationConflict, Reservations};

/// What is kept for one client of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Whom it is for.
    #[serde(flatten)]
    pub holder: Holder,
    /// The address that it is to have.
    pub address: Option<Ipv6Addr>,
    /// The prefix that it is to have, without host bits.
    pub prefix: Option<Ipv6Net>,
}

/// Whom a reservation is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// The client with this DUID.
    Duid(Duid),
    /// Who has this link-layer address, as the relay saw it (RFC 6939), else as the DUID has it.
    #[serde(rename = "link_layer_address")]
    LinkLayer(LinkLayerAddress),
    /// Who is behind the place with this remote-id (RFC 4649).
    RemoteId {
        /// The enterprise number in it.
        enterprise: u32,
        /// What follows.
        id: OpaqueId,
    },
    /// Who is behind the relay's interface with this interface-id (RFC 9915, section 21.18).
    InterfaceId(OpaqueId),
}

impl Reservation {
    /// What is kept of a kind.
    pub(crate) fn of(&self, kind: Kind) -> Option<Leased> {
        match kind {
            Kind::Address => self.address.map(Leased::Address),
            Kind::Prefix => self.prefix.map(Leased::from),
        }
    }

    /// Whether this is kept, as a whole.
    pub(crate) fn keeps(&self, leased: Leased) -> bool {
        self.of(leased.kind()) == Some(leased)
    }

    /// All that is kept.
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
