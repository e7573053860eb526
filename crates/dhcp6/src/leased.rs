//! Leased things: an address or a prefix.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

/// An address or a delegated prefix that a client leases (RFC 9915, section 6.3).
///
/// Its text is that of RFC 5952: "fd00::1", or "fd00:1::/64", always with the length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Leased {
    /// One address.
    Address(Ipv6Addr),
    /// A prefix, whose host bits are zero.
    Prefix(Ipv6Net),
}

/// The text is neither an address nor a prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an address, like fd00::1, nor a prefix without host bits, like fd00:1::/64")]
pub struct LeasedError(pub String);

/// The type of an identity association: for addresses or for prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Addresses: IA_NA (RFC 9915, section 21.4).
    Address,
    /// Prefixes: IA_PD (section 21.21).
    Prefix,
}

impl Leased {
    /// Whether it is an address or a prefix.
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Address(_) => Kind::Address,
            Self::Prefix(_) => Kind::Prefix,
        }
    }

    /// Its first address.
    pub(crate) fn first(self) -> Ipv6Addr {
        match self {
            Self::Address(address) => address,
            Self::Prefix(prefix) => prefix.network(),
        }
    }

    /// Whether the two have an address in common.
    pub(crate) fn overlaps(self, other: Self) -> bool {
        match (self, other) {
            (Self::Prefix(one), Self::Prefix(other)) => one.contains(&other) || other.contains(&one),
            (Self::Prefix(prefix), Self::Address(address)) | (Self::Address(address), Self::Prefix(prefix)) => {
                prefix.contains(&address)
            }
            (Self::Address(one), Self::Address(other)) => one == other,
        }
    }

    /// The address; `None` for a prefix.
    pub const fn address(self) -> Option<Ipv6Addr> {
        match self {
            Self::Address(address) => Some(address),
            Self::Prefix(_) => None,
        }
    }

    /// The prefix; `None` for an address.
    pub const fn prefix(self) -> Option<Ipv6Net> {
        match self {
            Self::Address(_) => None,
            Self::Prefix(prefix) => Some(prefix),
        }
    }
}

impl From<Ipv6Addr> for Leased {
    fn from(address: Ipv6Addr) -> Self {
        Self::Address(address)
    }
}

impl From<Ipv6Net> for Leased {
    /// The prefix without its host bits.
    fn from(prefix: Ipv6Net) -> Self {
        Self::Prefix(prefix.trunc())
    }
}

impl fmt::Display for Leased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Prefix(prefix) => f.pad(&prefix.to_string()),
        }
    }
}

impl FromStr for Leased {
    type Err = LeasedError;

    fn from_str(text: &str) -> Result<Self, LeasedError> {
        let refused = || LeasedError(text.to_owned());
        if !text.contains('/') {
            return text.parse().map(Self::Address).map_err(|_| refused());
        }
        let prefix: Ipv6Net = text.parse().map_err(|_| refused())?;
        if prefix == prefix.trunc() {
            Ok(Self::Prefix(prefix))
        } else {
            Err(refused())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_text_reads_back_as_what_it_was() {
        for text in ["fd00::1", "fd00:1::/64", "fd00::1/128", "::/0"] {
            let leased: Leased = text.parse().unwrap();
            assert_eq!(leased.to_string(), text);
            assert_eq!(leased.prefix().is_some(), text.contains('/'));
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "fd00::1/64", "fd00::/129", "192.0.2.1", "fd00::1/"] {
            assert_eq!(text.parse::<Leased>(), Err(LeasedError(text.to_owned())));
        }
    }
}
