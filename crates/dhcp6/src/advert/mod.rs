//! Router advertisements and solicitations (RFC 4861, with RFC 4191, 8106, 8781 and 9762): the messages, no sockets.
//!
//! Most clients send no Solicit before they have received an advertisement with the managed flag. And all of them treat
//! a DHCPv6 lease as a single address: the on-link prefix and the default route come from advertisements.

mod advertisement;
mod agenda;
mod option;
mod overheard;
mod solicitation;

pub use advertisement::{PrefixInformation, RouterAdvertisement, RouterPreference};
pub use agenda::{Agenda, Due};
pub use option::{Nat64Prefix, Nat64PrefixError};
pub use overheard::{Inconsistency, Overheard};
pub use solicitation::{RouterSolicitation, SolicitationFault};
