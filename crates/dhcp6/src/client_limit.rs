//! What the server did when a client was at its limit of leases on a link.

use crate::Leased;

/// What the server did when a client was at its limit of leases on a link
/// ([`Limits::bindings_per_client`](crate::Limits)), for the log, the timeline and a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientLimit {
    /// The client was given something new, and this lease of it, the oldest that its message did not name, has ended.
    MadeRoom(Leased),
    /// The client was given nothing: its message names all that it holds, or the rest is in quarantine.
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
