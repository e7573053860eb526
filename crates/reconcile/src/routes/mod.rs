//! Keeps the kernel's routes as the leases say: a delegated prefix leads to its client for as long as it is held, and
//! the rest of a pool is unreachable.
//!
//! ```text
//!   commit of a lease ──notify──▶ ┐
//!   expiry ─────────────notify──▶ ├─▶ read what is recorded ──▶ make, replace or remove one route
//!   start, bridge, period ──────▶ ┘   compare all of it with the kernel's routes ──▶ the difference
//! ```
//!
//! - A route follows the commit of its lease; no answer to a client waits for it.
//! - A notification only says that something changed. What is to be is read from the store, so that notifications may
//!   come late, twice or in another order. When too many have gathered, or anything fails, everything is compared.
//! - A route that carries our mark and that no lease wants is removed. Routes of others are left alone.
//! - A route that somebody else removes is made again within a second: the kernel notifies the reconciler. When it is
//!   removed again and again, it is made again after longer and longer pauses.
//! - The router towards a prefix is the client itself, by its link-local address, when it is on the bridge, also behind
//!   a relay agent on a switch; it is the relay agent when that is on the bridge and the client behind it (RFC 8987).
//!   To clients whose relay agent is farther away, the network in between must route, and nothing is done here.
//! - Routes stay when the daemon stops, like instances.

mod compare;
mod forwarding;
mod reconciler;
mod records;
mod restore;

use reconciler::RouteReconciler;
pub use reconciler::{CONDITION, Parts, register};
pub use records::RouteRecords;
