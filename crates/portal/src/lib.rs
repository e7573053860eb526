//! What clients and instances are shown over HTTP, each about itself alone.
//!
//! An instance asks the *metadata service* about itself: at one address on every link, on port 80. Who asks is known by
//! the link that the connection came in by and by its source address, and by nothing that the request says. So there is
//! nothing to authenticate with and nothing to steal; that a source is true is the business of the packet filter.
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

pub mod facts;
pub mod metadata;
mod metadata_face;
mod request;
mod response;
mod serve;

pub use metadata_face::Metadata;
pub use request::{Request, Source};
pub use response::Response;
pub use serve::{Face, Limits, Listener, Place};

pub use hyper::{Method, StatusCode};
