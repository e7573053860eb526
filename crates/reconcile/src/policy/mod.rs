//! Keeps the packet filter of a host as the leases and instances say.
//!
//! ```text
//!   commit of a lease or an instance ──event──▶ the facts of that owner ──▶ the difference ──▶ the host
//!   start, settings, rules that somebody removed, period ──▶ all facts ──▶ the whole ──▶ the host
//! ```
//!
//! - An event only says that something changed. What is allowed is read from the store, so that events may come late,
//!   twice, in another order, or be lost: then everything is read again.
//! - No answer to a client waits for it.
//! - Rules stay when the daemon stops.

mod reconciler;
mod records;

pub use reconciler::{CONDITION, Parts, register};
pub use records::PolicyRecords;
