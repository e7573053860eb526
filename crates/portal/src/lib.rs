//! What clients and instances are shown over HTTP, each about itself alone.
//!
//! An instance asks the *metadata service* about itself: at one address on every link, on port 80. The
//! service knows the instance by the link of the connection and by its source address. Nothing in the request counts, so
//! there is no password to steal. The packet filter makes sure that the source address is true.
//!
//! A client has two addresses to connect to. The *portal* shows its own page, with what it may do. The *front door* leads
//! to its instance by the packet filter; a connection comes to us only while there is no instance behind it, and is shown
//! why.
//!
//! ```text
//!   link ── Listener (one bridge, one address) ──▶ connection (limits) ──▶ Face ──▶ answer(request, facts)
//!                                                                           │            pure
//!                                                                           └──▶ Facts (the store)
//! ```
//!
//! Invariants:
//!
//! - A face answers about the instance or the client at the source address of the link, and about nobody else.
//! - The types of [`facts`] hold what may be shown, and nothing else: no DUID is in them.
//! - What strangers can make us hold is bounded: connections in all and for each of them, heads, bodies, times.

mod actions;
mod capport;
pub mod facts;
mod form;
mod front_door_face;
pub mod metadata;
mod metadata_face;
mod page;
mod portal_face;
mod reach;
mod request;
mod response;
mod serve;
mod token;

pub use actions::{Actions, Refusal};
pub use front_door_face::FrontDoor;
pub use metadata_face::Metadata;
pub use portal_face::{Portal, PortalParts};
pub use reach::Reach;
pub use request::{Request, Source};
pub use response::Response;
pub use serve::{Face, Limits, Listener, Place, Tls, TlsError};
pub use token::TokenKey;

pub use hyper::{Method, StatusCode};
