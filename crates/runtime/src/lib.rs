//! Shared parts of the running daemon: notifications, conditions, the status of every task, metrics, a limit on log
//! lines that strangers cause, errors as text, and safe reading of files that others can replace.

pub mod access;
pub mod causes;
pub mod conditions;
pub mod contention;
pub mod files;
pub mod log_limit;
pub mod metrics;
pub mod notifications;
pub mod routers;
pub mod tasks;
pub mod usage;
