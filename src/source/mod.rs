//! Lease sources: where lease events come from when the daemon's own listener does not make them.
//!
//! A source turns what a DHCP server says in its own words into [`LeaseChange`](crate::model::LeaseChange)s, and
//! carries them to the daemon without losing any: nothing here decides what an event means for an instance.

pub mod dnsmasq;
