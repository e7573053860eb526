//! Resource usage of a container.

use std::time::Duration;

/// The resource usage of a running container, measured once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Processor time that all its processes had since it was started.
    pub cpu: Duration,
    /// Memory in bytes that it uses now, without what the kernel would give back by itself (its page cache).
    pub memory: u64,
    /// Processes and threads; `None` when the engine does not count them.
    pub pids: Option<u64>,
}
