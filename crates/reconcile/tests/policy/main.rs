//! The policy reconciler on a machine in memory: what the host loses, delays, refuses or forgets, what people remove by
//! hand, and daemons that end at any moment.

mod changes;
mod drops;
mod faults;
mod questions;
mod random;
mod record;
mod switch;
mod world;
