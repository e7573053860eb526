//! What is promised and who waits, for operators.

use std::time::Duration;

use super::{Pause, Share, SlotKey, Timestamp};

/// What is used of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// What is used.
    pub used: u64,
    /// The limit; `None` for no limit.
    pub limit: Option<u64>,
}

/// What a host has promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostUse {
    /// The name of the host.
    pub host: String,
    /// Live instances.
    pub instances: Used,
    /// Bytes of memory.
    pub memory: Used,
    /// Thousandths of a processor.
    pub millicpus: Used,
    /// Processes and threads.
    pub pids: Used,
    /// Bytes of disk that containers may write, besides their volumes.
    pub disk: Used,
}

/// What is used of the limits of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkUse {
    /// The name of the link.
    pub link: String,
    /// Live instances.
    pub instances: Used,
    /// New instances in the last minute.
    pub creations: Used,
}

/// What is promised, of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitsView {
    /// The hosts by name.
    pub hosts: Vec<HostUse>,
    /// The links by name.
    pub links: Vec<LinkUse>,
    /// The live instances of each template, by its name.
    pub templates: Vec<(String, Used)>,
    /// Instances that wait.
    pub waiting: Used,
    /// The pauses.
    pub paused: Vec<Pause>,
}

/// An instance that waits for a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingView {
    /// The slot that it is to fill.
    pub key: SlotKey,
    /// The name of its template.
    pub template: String,
    /// Whom it counts for.
    pub share: Share,
    /// Since when its client holds a lease.
    pub since: Timestamp,
    /// Its place in the queue, from 1.
    pub place: u64,
    /// How long it is expected to wait; `None` while nobody can know.
    pub expected: Option<Duration>,
    /// The stable word for what it waits for.
    pub code: &'static str,
    /// What it waits for.
    pub reason: String,
}
