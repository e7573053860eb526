//! The output of a container.

use std::time::SystemTime;

/// A request for a part of a container's output, from all its starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogRequest {
    /// Only what was written at this moment or later, to the second. `None` is everything that the engine still has.
    pub since: Option<SystemTime>,
    /// Only so many lines from the end. `None` is all lines.
    pub tail: Option<u32>,
    /// Whether the stream goes on with what is written from now on, until the container ends.
    pub follow: bool,
}
