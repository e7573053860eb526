//! Bridges, attachments and routes through netlink.
//!
//! An *attachment* is an instance's interface on a bridge: a veth pair with one end, the *host end*, as a port of the
//! bridge and the other, the *inside end*, as `eth1` in the instance's network namespace, with its address and its
//! default route.
//!
//! ```text
//!   daemon's namespace                      instance's namespace
//!   ┌──────────────────────────┐            ┌─────────────────────────────┐
//!   │  bridge ── host end ═════╪════════════╪═ inside end (eth1)          │
//!   │  fd39::1   alias: mark   │   veth     │  fd39::2:1/64, default route│
//!   └──────────────────────────┘            └─────────────────────────────┘
//! ```
//!
//! Invariants:
//!
//! - Everything `ensure_…` may be repeated, also after a crash or a dropped future at any point, and ends in the same
//!   state; everything `remove_…` succeeds when the thing is gone already.
//! - What we make carries our mark: the link group [`LINK_GROUP`] from the message that makes it, its alias from the
//!   next one; routes carry a protocol and a metric. Nothing without a mark is changed or removed; a bridge that was there before us gets ports and an
//!   address from us, and loses neither.
//! - Instances are wired in network namespaces of their own, never in the daemon's.
//! - No thread of the caller's runtime enters another namespace, and none waits for the kernel's link lock: netlink
//!   requests run on a thread of their own, and each attachment is wired by a fresh thread that ends.
//! - Every wait for netlink has a limit, [`LIMIT`].

mod address;
mod announce;
mod attachment;
mod balance;
mod bridge;
mod connection;
mod entry;
mod error;
mod feature;
mod filter;
mod firewall;
mod icmp6;
mod interface;
mod join;
mod link;
pub mod listeners;
mod name;
mod namespace;
mod neighbor;
mod netfilter;
mod netns;
mod network;
mod origin;
mod own_proc;
mod port;
mod ports;
mod request;
mod route;
mod sysctl;
mod thread;
mod watch;

pub use attachment::{AttachmentFound, AttachmentPlan, Flaw};
pub use balance::{Balance, VirtualService};
pub use bridge::{
    Bridge, BridgeFlaw, BridgeHazard, BridgeIdentity, BridgePlan, MadeBridge, ObservedBridge, missing_groups,
};
pub use error::NetworkError;
pub use feature::KernelFeatures;
pub use filter::{
    ByCause, Filter, FilterChange, FilterCounts, FilterElement, FilterRepair, FilterRole, FilterSockets, Segment,
    SegmentChange, SegmentPort, link_local,
};
pub use firewall::{DroppingChain, FirewallFamily};
pub use icmp6::{Icmp6Message, Icmp6Socket};
pub use interface::{AddressState, Interface};
pub use join::{JOIN_AT, JoinedBridge, joined_to};
pub use link::LINK_GROUP;
pub use neighbor::NeighborChange;
pub use netns::HeldNamespace;
pub use network::Network;
pub use origin::{OriginLog, OriginRecord, OriginSender, Received};
pub use request::LIMIT;
pub use route::{MarkClaim, ROUTE_PROTOCOL, Route, RouteChange, RouteMark, Way};
pub use watch::LinkChange;
