//! Services on a host and a record in memory, with routers that are late: deployed, scaled, rolled, given up, removed.
//!
//! The daemon ends at any of its waits. While nothing is lost, never do fewer instances serve than promised, and no router
//! leads to one that is gone.

mod cases;
mod clients;
mod fleet;
mod lifetimes;
mod placement;
mod random;
mod removal;
mod router;
mod short_lives;
mod watch;
