//! The crate against the real kernel; run as root.
//!
//! Every test works in a network namespace of its own, in which it plays the daemon, with further namespaces as the
//! instances.
//! All of them end with the test, and everything in them with them: there is nothing to clean up, and tests may run
//! side by side.
//! What the crate did is looked at with iproute2, not with the crate.

mod attachment;
mod balance;
mod bridge;
mod changed;
mod entries;
mod filter;
mod firewall;
mod flaw;
mod interface;
mod joined;
mod neighbor;
mod observed;
mod origin;
mod ports;
mod refused;
mod removal;
mod route;
mod services;
mod support;
mod traffic;
mod watch;
