//! Lease sources: where lease events come from.
//!
//! A source turns what clients or a DHCP server say in their own words into
//! [`LeaseChange`](orchestrator_model::LeaseChange)s, and all of them end in the [`Recorder`]. Nothing here decides what an
//! event means for an instance.

pub mod advertiser;
pub mod dnsmasq;
pub mod listener;
pub mod neighbors;
mod recorder;
pub mod reserved;

pub use recorder::Recorder;
