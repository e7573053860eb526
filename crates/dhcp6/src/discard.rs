//! Why a datagram is not answered.

use std::net::Ipv6Addr;

use crate::MessageKind;
use crate::frame::Fault;

/// Why a datagram is not answered: one reason, for the log and for a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Discard {
    /// It is not well formed, or not bounded.
    #[error("malformed: {0}")]
    Malformed(Fault),
    /// A message that servers send, or one nobody knows.
    #[error("message type {0} is none that clients send to servers")]
    NotForServers(u8),
    /// It was sent to an address of the server's own (RFC 9915, section 16).
    #[error("{0} was not sent to the servers' multicast address")]
    Unicast(MessageKind),
    /// It came neither from a link-local address nor through a relay (RFC 9915, section 13.1).
    #[error("it came from {0}, which is not link-local")]
    NotLinkLocal(Ipv6Addr),
    /// Relays are nested deeper than [`MAX_RELAYS`](crate::MAX_RELAYS).
    #[error("it came through more relays than a message may")]
    TooManyRelays,
    /// A relay's message with no message inside (RFC 9915, section 19.3).
    #[error("a relay sent it with nothing inside")]
    NothingRelayed,
    /// It was relayed from a link that is not served here, or not this one (RFC 9915, section 13.1).
    #[error("it was relayed from the link of {0}, which is not served here")]
    OtherLink(Ipv6Addr),
    /// Its sender sends too often ([`Limiter`](crate::Limiter)).
    #[error("{0} sends too often")]
    TooOften(Ipv6Addr),
    /// The client's DUID is missing.
    #[error("{0} without a client identifier")]
    NoClient(MessageKind),
    /// The server's DUID is missing.
    #[error("{0} without a server identifier")]
    NoServer(MessageKind),
    /// It is for another server.
    #[error("{0} for another server")]
    OtherServer(MessageKind),
    /// The server's DUID is in a message that is for all servers.
    #[error("{0} with a server identifier")]
    ServerNamed(MessageKind),
    /// An Information-request with identity associations.
    #[error("information-request with an identity association")]
    LeasesAsked,
    /// More identity associations than are looked at.
    #[error("{0} identity associations are more than are served")]
    TooManyAssociations(usize),
    /// A Confirm without addresses (RFC 9915, section 18.3.3).
    #[error("confirm without an address")]
    NothingToConfirm,
    /// The answer does not fit into a datagram.
    #[error("the answer does not fit into a datagram")]
    AnswerTooLong,
}

impl Discard {
    /// The word for it, for counters.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::NotForServers(_) => "not-for-servers",
            Self::Unicast(_) => "unicast",
            Self::NotLinkLocal(_) => "not-link-local",
            Self::TooManyRelays => "too-many-relays",
            Self::NothingRelayed => "nothing-relayed",
            Self::OtherLink(_) => "other-link",
            Self::TooOften(_) => "too-often",
            Self::NoClient(_) => "no-client-id",
            Self::NoServer(_) => "no-server-id",
            Self::OtherServer(_) => "other-server",
            Self::ServerNamed(_) => "server-id",
            Self::LeasesAsked => "leases-asked",
            Self::TooManyAssociations(_) => "too-many-associations",
            Self::NothingToConfirm => "nothing-to-confirm",
            Self::AnswerTooLong => "answer-too-long",
        }
    }
}

impl From<Fault> for Discard {
    fn from(fault: Fault) -> Self {
        Self::Malformed(fault)
    }
}
