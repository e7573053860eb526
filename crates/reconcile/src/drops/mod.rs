//! Says what the packet filter drops: in metrics, and of whom in the timeline.
//!
//! ```text
//!   every 10 s: the host's counts ──▶ increase since the last look ──┬──▶ metrics, by link and cause
//!                                                                    └──▶ senders that begin to be dropped ──▶ events
//! ```
//!
//! - The kernel counts. What was counted before the daemon started is in the metrics, and raises no event.
//! - A sender gets an event when it begins to be dropped: for the first time, or after an hour without. So many events a
//!   minute at most; what is held back is counted.

mod increase;
mod reconciler;
mod records;
mod sender;
mod turns;

pub use reconciler::{Parts, register};
pub use records::DropRecords;
