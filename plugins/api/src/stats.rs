//! Resource usage of a container.

use std::time::Duration;

/// The resource usage of a running container, measured once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// The processor time of all its processes since its start.
    pub cpu: Duration,
    /// The memory in use, in bytes, without the page cache, which the kernel can free at any time.
    pub memory: u64,
    /// The number of processes and threads; `None` if the engine does not report it.
    pub pids: Option<u64>,
}
