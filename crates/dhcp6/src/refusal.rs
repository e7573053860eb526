//! The reasons why an identity association got no lease.

use dhcproto::v6::Status;

/// The status code that an identity association got instead of a lease (RFC 9915, section 21.13), for the log and for a
/// counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No address is free that the client may have.
    NoAddress,
    /// No prefix is free that the client may have.
    NoPrefix,
    /// It asked to extend an unknown lease.
    NoBinding,
    /// It named an address that is not on the link.
    NotOnLink,
}

impl Refusal {
    /// The word for it, for counters.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoAddress => "no-addrs-avail",
            Self::NoPrefix => "no-prefix-avail",
            Self::NoBinding => "no-binding",
            Self::NotOnLink => "not-on-link",
        }
    }

    /// The refusal of a status code; `None` if it is not a refusal.
    pub(crate) fn of(status: Status) -> Option<Self> {
        Some(match status {
            Status::NoAddrsAvail => Self::NoAddress,
            Status::NoPrefixAvail => Self::NoPrefix,
            Status::NoBinding => Self::NoBinding,
            Status::NotOnLink => Self::NotOnLink,
            _ => return None,
        })
    }
}
