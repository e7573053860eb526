//! `orchestrator client` as its users run it: on a real interface, against our own daemon, Kea and dnsmasq.
//!
//! The tests run side by side, in any order, as root; what they make goes with their lab.

mod begin;
mod duplicate;
mod elsewhere;
mod extend;
mod others;
mod prefix;
mod running;
mod site;
mod sloppy;
