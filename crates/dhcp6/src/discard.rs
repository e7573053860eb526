//! The reasons why a datagram is not answered.

use std::net::Ipv6Addr;

use crate::frame::Fault;
use crate::{MessageKind, Place};

/// The reason why a datagram is not answered, for the log and for a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Discard {
    /// It is malformed, or exceeds a limit.
    #[error("malformed: {0}")]
    Malformed(Fault),
    /// It is a message of servers, or of an unknown type.
    #[error("clients do not send messages of type {0} to servers")]
    NotForServers(u8),
    /// It was sent to the server's own address (RFC 9915, section 16), but not by a client from an address that it
    /// holds.
    #[error("{0} was not sent to the servers' multicast address, nor from an address that the client holds")]
    Unicast(MessageKind),
    /// It came neither from a link-local address, nor from an address of the link, nor through a relay agent (RFC 9915,
    /// section 13.1).
    #[error("it came from {0}, which is neither link-local nor on the link")]
    NotLinkLocal(Ipv6Addr),
    /// Relays are nested deeper than [`MAX_RELAYS`](crate::MAX_RELAYS).
    #[error("it came through more relays than a message may")]
    TooManyRelays,
    /// A relay agent's message has no message inside (RFC 9915, section 19.3).
    #[error("a relay sent it with nothing inside")]
    NothingRelayed,
    /// It was relayed from a link that this server does not serve, or from another link (RFC 9915, section 13.1).
    #[error("it was relayed from the link of {0}, which is not served here")]
    OtherLink(Ipv6Addr),
    /// Its sender exceeds its rate limit ([`Limiter`](crate::Limiter)).
    #[error("{0} sends too often")]
    TooOften(Ipv6Addr),
    /// The clients of the link together exceed the rate limit ([`Limiter`](crate::Limiter)).
    #[error("the clients of the link send too often together")]
    LinkTooOften,
    /// The client's DUID is missing.
    #[error("{0} without a client identifier")]
    NoClient(MessageKind),
    /// The server's DUID is missing.
    #[error("{0} without a server identifier")]
    NoServer(MessageKind),
    /// A Release or Decline that does not come from the place that holds the lease.
    #[error("{kind} of a lease that is held from {holder}; only its holder can end it")]
    NotFromHolder {
        /// The kind of the message.
        kind: MessageKind,
        /// The place that holds the lease.
        holder: Place,
    },
    /// A Release or Decline whose link-layer address was not observed, of a lease whose holder's was.
    #[error("{0} whose link-layer address was not observed, of a lease that is held from a known one")]
    SenderNotObserved(MessageKind),
    /// A message from elsewhere about a lease whose former place has not been asked yet whether its holder is there.
    #[error("{kind} of a lease that is held from {holder}; the holder is asked whether it is still there")]
    HolderAsked {
        /// The kind of the message.
        kind: MessageKind,
        /// The place that holds the lease. The caller asks it.
        holder: Place,
    },
    /// It names another server.
    #[error("{0} for another server")]
    OtherServer(MessageKind),
    /// It names a server, although messages of its kind are for all servers.
    #[error("{0} with a server identifier")]
    ServerNamed(MessageKind),
    /// An Information-request with identity associations.
    #[error("information-request with an identity association")]
    LeasesAsked,
    /// It has more identity associations than the server reads.
    #[error("{0} identity associations are more than are served")]
    TooManyAssociations(usize),
    /// A Confirm without addresses (RFC 9915, section 18.3.3).
    #[error("confirm without an address")]
    NothingToConfirm,
    /// The link does not allow registrations of addresses (RFC 9686).
    #[error("addresses are not registered on this link")]
    NotRegistering,
    /// A registration with an Option Request option (RFC 9686, section 4.2.1).
    #[error("addr-reg-inform asks for options")]
    OptionsAsked,
    /// A registration of no address, or of more than one.
    #[error("addr-reg-inform with {0} addresses, not one")]
    NotOneAddress(usize),
    /// A registration of an address that it was not sent from.
    #[error("addr-reg-inform of {0}, which is not its source address")]
    NotTheSource(Ipv6Addr),
    /// A registration of an address that is not on the link, or that no host can have formed itself.
    #[error("addr-reg-inform of {0}, which no host of this link can have made")]
    NotRegistrable(Ipv6Addr),
    /// The client or the link has reached its limit of registrations.
    #[error("there are too many registered addresses")]
    TooManyRegistrations,
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
            Self::LinkTooOften => "link-too-often",
            Self::NoClient(_) => "no-client-id",
            Self::NoServer(_) => "no-server-id",
            Self::NotFromHolder { .. } => "not-from-holder",
            Self::SenderNotObserved(_) => "sender-not-observed",
            Self::HolderAsked { .. } => "holder-asked",
            Self::OtherServer(_) => "other-server",
            Self::ServerNamed(_) => "server-id",
            Self::LeasesAsked => "leases-asked",
            Self::TooManyAssociations(_) => "too-many-associations",
            Self::NothingToConfirm => "nothing-to-confirm",
            Self::NotRegistering => "not-registering",
            Self::OptionsAsked => "options-asked",
            Self::NotOneAddress(_) => "not-one-address",
            Self::NotTheSource(_) => "not-the-source",
            Self::NotRegistrable(_) => "not-registrable",
            Self::TooManyRegistrations => "too-many-registrations",
            Self::AnswerTooLong => "answer-too-long",
        }
    }
}

impl From<Fault> for Discard {
    fn from(fault: Fault) -> Self {
        Self::Malformed(fault)
    }
}
