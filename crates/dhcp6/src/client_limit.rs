//! The reaction of the server to a client at its limit of leases on a link.

use crate::Leased;

/// The reaction of the server to a client at its limit of leases on a link
/// ([`Limits::bindings_per_client`](crate::Limits)), for the log, the timeline and a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientLimit {
    /// The client got a new lease, and this one has ended: its oldest that the message did not name.
    MadeRoom(Leased),
    /// The client got nothing, because its message names all that it holds.
    Refused,
}

impl ClientLimit {
    /// The word for it, for a counter.
    pub const fn word(self) -> &'static str {
        match self {
            Self::MadeRoom(_) => "made-room",
            Self::Refused => "refused",
        }
    }
}
