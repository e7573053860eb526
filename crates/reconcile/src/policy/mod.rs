//! Keeps the packet filter of a host as the leases and instances say.
//!
//! ```text
//!   commit of a lease or an instance ──event──▶ the facts of that owner ──▶ the difference ──▶ the host
//!   a lease that is held at another place ──notification──▶ the same
//!   an instance that is brought up ──question──▶ the same, and an answer once it is in force
//!   start, settings, rules that somebody removed, period ──▶ all facts ──▶ the whole ──▶ the host
//! ```
//!
//! - An event only says that something changed. What is allowed is read from the store, so that events may come late,
//!   twice, in another order, or be lost: then everything is read again.
//! - No answer to a client waits for it.
//! - An instance is recorded as ready only once its rules are in force. They are brought into force while it starts.
//! - Rules stay when the daemon stops. Where no link has isolation, rules of an earlier daemon are removed.

mod fault;
mod pending;
mod reconciler;
mod records;
mod rules;
mod wanted;
mod watch;

pub use reconciler::{CONDITION, Parts, register};
pub use records::PolicyRecords;
pub use rules::{Requests, Rules};
pub use wanted::wanted_items;
