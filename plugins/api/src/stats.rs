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

/// What a container wrote into its file system, measured once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskUse {
    /// Bytes on the disk.
    pub bytes: u64,
    /// The limit in bytes that the file system enforces; `None` when it enforces none.
    pub limit: Option<u64>,
}
