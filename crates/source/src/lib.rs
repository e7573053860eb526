//! Lease sources: the origins of lease events.
//!
//! A source converts what clients or a DHCP server report into [`LeaseChange`](orchestrator_model::LeaseChange)s, and
//! passes them to the [`Recorder`]. Nothing here decides what an event means for an instance.

pub mod advertiser;
pub mod dnsmasq;
pub mod listener;
pub mod neighbors;
mod recorder;
pub mod reserved;

pub use recorder::Recorder;
