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
    /// Add this lease, or extend it if it is already there.
    Assign(Lease),
    /// Remove this address or prefix.
    Withdraw(Leased),
    /// Report an event.
    Tell(Event),
}

/// An event of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A server offers a lease.
    Offered {
        /// The server.
        server: Duid,
        /// The server's preference.
        preference: u8,
    },
    /// There is a new or extended lease.
    Bound(Bound),
    /// A lease is lost.
    Lost {
        /// The address or prefix.
        leased: Leased,
        /// The cause.
        cause: Loss,
    },
    /// A server refuses a request.
    Refused {
        /// The server.
        server: Duid,
        /// The server's status.
        status: ServerStatus,
    },
    /// No server has answered this message, and it will not be retransmitted.
    Unanswered(MessageKind),
    /// A server sent configuration without a lease.
    Informed {
        /// The server.
        server: Duid,
        /// The configuration.
        configuration: Configuration,
        /// When the client asks again, in milliseconds since 1970; [`i64::MAX`] means never.
        until: i64,
    },
    /// All leases were released.
    Released,
}

/// A present lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// How the lease came about.
    pub how: How,
    /// The server that granted it.
    pub server: Duid,
    /// The leased addresses and prefixes.
    pub leases: Vec<Lease>,
    /// When it is renewed (T1), in milliseconds since 1970; [`i64::MAX`] means never.
    pub renew_at: i64,
    /// When any server is asked to extend it (T2), in the same unit.
    pub rebind_at: i64,
    /// The server's configuration besides leases.
    pub configuration: Configuration,
}

/// How a lease came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It is new.
    Granted,
    /// Its server extended it.
    Renewed,
    /// Another server extended it.
    Rebound,
    /// It still fits the link, as far as servers answered.
    Confirmed,
}

/// The cause of a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The valid lifetime is over.
    Expired,
    /// The server ended it.
    Ended,
    /// It does not fit the link.
    NotOnLink,
    /// Another machine uses it.
    Declined,
    /// It was released.
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

/// A status code with the server's text (RFC 9915, section 21.13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerStatus {
    /// The code.
    pub code: u16,
    /// The text, printable and of limited length.
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
