//! Why an identity association was given nothing.

use dhcproto::v6::Status;

/// The status code that an identity association got instead of a lease (RFC 9915, section 21.13), for the log and for a
/// counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No address is left that its client may have.
    NoAddress,
    /// No prefix is left that its client may have.
    NoPrefix,
    /// It wanted to go on with a lease that is not known.
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

    /// The refusal that a status code stands for, or `None` when it is no refusal.
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
