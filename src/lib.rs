//! Gives every IPv6 client on a network a container of its own, by nothing but its DHCPv6 lease.
//!
//! The parts are crates of their own, named here; [`serve`] puts them together.

pub mod serve;

pub use orchestrator_api as api;
pub use orchestrator_api_types as api_types;
pub use orchestrator_cli as cli;
pub use orchestrator_client as client;
pub use orchestrator_host as host;
pub use orchestrator_model as model;
pub use orchestrator_reconcile::{driver, instance as orchestrator, routes};
pub use orchestrator_runtime::{
    causes, conditions, contention, files, log_limit, metrics, notifications, tasks, usage,
};
pub use orchestrator_secrets as secrets;
pub use orchestrator_settings as settings;
pub use orchestrator_source as source;
pub use orchestrator_source::advertiser;
pub use orchestrator_store as store;
