//! The policy of the machine: its items as elements of the packet filter.

mod apply;
mod book;
mod counts;
mod egress;
mod repairs;
mod watch;

pub(super) use apply::PolicyState;
