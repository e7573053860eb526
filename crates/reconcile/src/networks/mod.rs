//! The networks of the settings: bridges without clients, for further interfaces of instances.
//!
//! One reconciler has the host make each bridge, give it its address and MTU, and mend what somebody changes about it. A
//! bridge that we made is removed once its network has left the settings and nothing is on it. What somebody else made is
//! never removed.

mod bridge;
mod reconciler;

pub use bridge::condition;
pub use reconciler::{NetworkRecords, Parts, register};
