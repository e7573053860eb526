//! Control groups of containers, in both versions.
//!
//! Version 1 has a tree for each controller, version 2 one for all. A *hybrid* machine has both, and its controllers in
//! version 1. The runtime makes the groups and sets the limits; here they are measured, frozen, killed and removed.

mod group;
mod hierarchy;

pub(crate) use group::Group;
pub(crate) use hierarchy::Hierarchy;
