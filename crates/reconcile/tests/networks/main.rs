//! The reconcilers of routes and of networks on a machine in memory: what the host loses, delays or fails, what people
//! remove by hand, and what others made.

mod bridges;
mod daemon;
mod random;
mod routes;
