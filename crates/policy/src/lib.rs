//! What the packet filter of a host lets pass, derived from what is recorded. Pure: no I/O, no clock.
//!
//! ```text
//!   settings ──▶ Links ──────────────┐
//!   leases, instances ──▶ OwnerFacts ┴─▶ derive: the entries of one owner, each with its reason
//!                                              │
//!                                              ▼
//!                                       Policy: all owners; a change of one is a Delta
//!
//!   the same facts ──▶ explain, decide: what somebody is allowed, in words, and whom he reaches
//! ```
//!
//! - The entries of an owner depend on the links and on the facts of that owner alone, but for the ways from balancers to
//!   services. So a change of one client costs what that client has, however many others there are.
//! - Balancers reach the ports of services without being told to. When a balancer comes or goes, the services are derived
//!   anew; when a service changes, it alone is.
//! - Two owners may claim the same address: a link-local address is chosen by its client. The claim that is oldest by
//!   the record holds, in whatever order the facts arrive.

mod claim;
mod client;
mod delta;
mod derive;
mod door;
mod entry;
mod explain;
mod facts;
mod holder;
mod instance;
mod links;
mod policy;
mod ports;
mod speak;
mod ways;
mod why;
mod world;

pub use delta::Delta;
pub use derive::{derive, derive_links};
pub use entry::Entry;
pub use explain::{Asked, Explanation, Party, Target, decide, explain};
pub use facts::OwnerFacts;
pub use holder::Holder;
pub use links::{LinkFacts, Links};
pub use policy::Policy;
pub use why::Why;
