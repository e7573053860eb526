//! Actions that the caller must carry out for the client, and events that it reports.

use std::fmt;
use std::net::Ipv6Addr;

use super::holdings::Lease;
use crate::{DomainName, Duid, Leased, MessageKind};

/// An action for the caller. Actions are carried out in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send this to all servers: ff02::1:2, port 547, from port 546.
    Send(Vec<u8>),
    /// Have this until it ends, or for longer if it is there already.
    Assign(Lease),
    /// Have this no longer.
    Withdraw(Leased),
    /// Report an event.
    Tell(Event),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A server offers a lease.
    Offered {
        /// The server.
        server: Duid,
        /// How it wants to be preferred.
        preference: u8,
    },
    /// There is a lease, or it goes on.
    Bound(Bound),
    /// Something is leased no longer.
    Lost {
        /// What.
        leased: Leased,
        /// Why.
        cause: Loss,
    },
    /// A server refuses something.
    Refused {
        /// The server.
        server: Duid,
        /// What it says.
        status: ServerStatus,
    },
    /// Nobody answered as often as was asked.
    Unanswered(MessageKind),
    /// There is configuration without a lease.
    Informed {
        /// The server.
        server: Duid,
        /// The configuration.
        configuration: Configuration,
        /// When it is asked for again: milliseconds since 1970; [`i64::MAX`] is never.
        until: i64,
    },
    /// All has been given back.
    Released,
}

/// A lease as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// How it came.
    pub how: How,
    /// The server that granted it.
    pub server: Duid,
    /// What is leased.
    pub leases: Vec<Lease>,
    /// When it is renewed: milliseconds since 1970; [`i64::MAX`] is never.
    pub renew_at: i64,
    /// When any server is asked to extend it, likewise.
    pub rebind_at: i64,
    /// The configuration from the server besides leases.
    pub configuration: Configuration,
}

/// How a lease came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It is new.
    Granted,
    /// Its server extended it.
    Renewed,
    /// Some server extended it.
    Rebound,
    /// It still fits the link, as far as anyone said.
    Confirmed,
}

/// Why something is leased no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Its valid lifetime is over.
    Expired,
    /// The server ended it.
    Ended,
    /// It does not fit the link.
    NotOnLink,
    /// Someone else uses it.
    Declined,
    /// It was given back.
    Released,
}

/// Configuration without a lease (RFC 3646).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Configuration {
    /// Recursive name servers.
    pub dns_servers: Vec<Ipv6Addr>,
    /// Search list.
    pub domain_search: Vec<DomainName>,
}

/// A status code, and the server's words (RFC 9915, section 21.13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerStatus {
    /// The code.
    pub code: u16,
    /// The words; printable, and not too many.
    pub words: String,
}

impl How {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Renewed => "renewed",
            Self::Rebound => "rebound",
            Self::Confirmed => "confirmed",
        }
    }
}

impl Loss {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Ended => "ended",
            Self::NotOnLink => "not-on-link",
            Self::Declined => "declined",
            Self::Released => "released",
        }
    }
}

impl fmt::Display for ServerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            0 => f.write_str("Success")?,
            1 => f.write_str("UnspecFail")?,
            2 => f.write_str("NoAddrsAvail")?,
            3 => f.write_str("NoBinding")?,
            4 => f.write_str("NotOnLink")?,
            5 => f.write_str("UseMulticast")?,
            6 => f.write_str("NoPrefixAvail")?,
            code => write!(f, "status {code}")?,
        }
        if self.words.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", self.words)
    }
}
