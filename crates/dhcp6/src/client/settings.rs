//! The settings of a client.

use crate::leased::Kind;
use crate::{DomainName, Duid, Iaid};

/// The identity of a client, and what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// Its DUID, which it must keep.
    pub duid: Duid,
    /// The IAID of its associations. Those of addresses and of prefixes have separate numbers.
    pub iaid: Iaid,
    /// The leases that it asks for.
    pub wants: Wants,
    /// Whether a server may grant the lease at once (RFC 9915, section 18.2.1).
    pub rapid_commit: bool,
    /// Whether servers may reconfigure it (sections 18.2.11 and 20.4).
    pub reconfigure: bool,
    /// The name that it sends to servers (RFC 4704).
    pub hostname: Option<DomainName>,
}

/// The leases that a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// None: only configuration, by Information-request.
    Configuration,
    /// An address.
    Address,
    /// A prefix, of this length if the server allows it (RFC 8168).
    Prefix(Option<u8>),
    /// Both.
    AddressAndPrefix(Option<u8>),
}

impl Wants {
    /// The identity associations that it asks for.
    pub(super) fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Configuration => &[],
            Self::Address => &[Kind::Address],
            Self::Prefix(_) => &[Kind::Prefix],
            Self::AddressAndPrefix(_) => &[Kind::Address, Kind::Prefix],
        }
    }

    pub(super) fn length(self) -> Option<u8> {
        match self {
            Self::Configuration | Self::Address => None,
            Self::Prefix(length) | Self::AddressAndPrefix(length) => length,
        }
    }
}
