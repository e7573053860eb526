//! The output of a container.

use std::time::SystemTime;

/// A request for a part of a container's output from all its starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogRequest {
    /// Only output from this second on. `None` means everything that the engine still has.
    pub since: Option<SystemTime>,
    /// Only this number of lines from the end. `None` means all lines.
    pub tail: Option<u32>,
    /// Whether the stream continues with new output until the container ends.
    pub follow: bool,
    /// Whether each line begins with the time at which it was written, as RFC 3339 writes it in UTC, and a space.
    pub times: bool,
}
