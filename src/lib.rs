//! Gives every IPv6 client on a network a container of its own, by nothing but its DHCPv6 lease.

pub mod advertiser;
pub mod api;
pub mod bell;
pub mod causes;
pub mod cli;
pub mod client;
pub mod conditions;
pub mod contention;
pub mod files;
pub mod log_limit;
pub mod metrics;
pub mod model;
pub mod orchestrator;
pub mod routes;
pub mod serve;
pub mod settings;
pub mod source;
pub mod store;
