//! What a host has to give to instances.

/// What a machine has; `None` where nobody knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capacity {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Processors.
    pub processors: Option<u64>,
    /// Processes and threads that its kernel allows at the same time.
    pub pids: Option<u64>,
    /// Bytes of the file system that has the volumes.
    pub disk: Option<u64>,
}
