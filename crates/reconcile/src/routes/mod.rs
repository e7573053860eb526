//! Keeps the kernel's routes as the leases say: a delegated prefix leads to its client for as long as it is held, and
//! what of a pool nobody holds is unreachable.
//!
//! ```text
//!   commit of a lease ──ring──▶ ┐
//!   expiry ─────────────ring──▶ ├─▶ look up what is recorded ──▶ make, replace or remove one route
//!   start, bridge, period ────▶ ┘   compare all of it with the kernel's routes ──▶ the difference
//! ```
//!
//! - A route follows the commit of its lease; no answer to a client waits for it.
//! - A ring is no news but that something changed: what is to be is read from the store, so that rings may come late,
//!   twice or in another order. When too many have gathered, or anything fails, everything is compared.
//! - What carries our mark and no lease wants is removed; what others made is not looked at.
//! - A route that somebody else removes is made again within a second: the kernel notifies the keeper. When it is removed
//!   again and again, it is made again after longer and longer pauses.
//! - The router towards a prefix is the client itself, by its link-local address, when it is on the bridge, also behind
//!   a relay agent on a switch; it is the relay agent when that is on the bridge and the client behind it (RFC 8987).
//!   To clients whose relay agent is farther away, the network in between must route, and nothing is done here.
//! - Routes stay when the daemon stops, like instances.

mod forwarding;
mod keeper;
mod reconcile;
mod restore;

pub use keeper::{CONDITION, Keeper, Parts, mark};
