//! The DHCPv6 protocol (RFC 9915): a function from message, link and bindings to reply and changes. No I/O, no clock.
//!
//! ```text
//!   datagram ──frame──▶ bounded ──message──▶ typed ──server──▶ reply ──▶ datagram
//!                                              │
//!               Link (settings) ───────────────┤
//!               Bindings (what is leased) ─────┴──▶ changes ──▶ durable, before the datagram is sent
//! ```
//!
//! The caller's loop: [`Server::handle`], [`Bindings::apply`] each change, make the changes durable, send the answer.
//! If they cannot be made durable: [`Bindings::undo`] each in reverse order, and send nothing.
//!
//! The client is in [`client`], and router advertisements are in [`advert`].
//!
//! Invariants: no bytes make it panic or recurse deeper than a fixed depth; an answer depends only on its arguments; no
//! change affects a binding that another client holds; an address of the pool has at most one holder, and held prefixes
//! do not overlap.

pub mod advert;
mod binding;
mod bindings;
mod class;
pub mod client;
mod client_limit;
mod delegation;
mod discard;
mod domain;
mod duid;
mod fqdn;
mod frame;
mod leased;
mod lengths;
mod lifetime;
mod limiter;
mod link;
mod message;
mod moves;
mod occupancy;
mod opaque;
mod options;
mod place;
mod pool;
mod refusal;
mod registrations;
mod relay;
mod relay_key;
mod reply;
mod requested;
mod reservation;
mod reserved;
mod rkap;
mod server;
mod table;
mod way_back;

pub use binding::{Binding, BindingState, Change, Verb};
pub use bindings::Bindings;
pub use class::{Class, ClassId, Conditions, Pattern};
pub use client_limit::ClientLimit;
pub use delegation::{LONGEST_PREFIX, PrefixPool, PrefixPoolError};
pub use discard::Discard;
pub use domain::{DomainName, DomainNameError};
pub use duid::{Duid, Iaid, IdentityError, LinkLayerAddress};
pub use frame::{Fault, MAX_DATAGRAM, MAX_DEPTH, MAX_OPTIONS};
pub use leased::{Leased, LeasedError};
pub use limiter::{Limiter, Rates, SenderLimiter};
pub use link::{ERP_LOCAL_DOMAIN_NAME, Limits, Link, Registration};
pub use message::MessageKind;
pub use opaque::{OpaqueId, OpaqueIdError};
pub use options::{OptionSet, OptionValue, OwnedOption, TimeServer, is_settable, is_suppliable};
pub use place::{LinkLayerSource, Place};
pub use pool::{Order, Pool, PoolError};
pub use refusal::Refusal;
pub use relay::MAX_RELAYS;
pub use relay_key::{RelayAgent, RelayKey};
pub use reservation::{Holder, Reservation, ReservationConflict, Reservations};
pub use reserved::is_reserved;
pub use server::{
    Answer, Elsewhere, Inbound, KeyHolder, Knowledge, RECONFIGURE_ATTEMPTS, RECONFIGURE_TIMEOUT, Reconfigure, Server,
};
pub use way_back::WayBack;
