//! The DHCPv6 protocol: a function from message, link and bindings to reply and changes. No I/O.

mod duid;

pub use duid::{Duid, Iaid, IdentityError, LinkLayerAddress};
