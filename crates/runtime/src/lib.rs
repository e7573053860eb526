//! What the parts of the daemon share while it runs: notifications, what is waited for, counters, a bound on log lines that
//! strangers cause, errors as text, and files that somebody else may have put something else in place of.

pub mod causes;
pub mod conditions;
pub mod contention;
pub mod files;
pub mod log_limit;
pub mod metrics;
pub mod notifications;
