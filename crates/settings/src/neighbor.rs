//! Detection of hosts on a link.

use std::time::Duration;

use super::reader::{Entry, Table};

const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);
/// The shortest lifetime. Within it a host is asked three times, and an answer may take three seconds.
const SHORTEST_LIFETIME: Duration = Duration::from_secs(10);
const LONGEST_LIFETIME: Duration = Duration::from_secs(7 * 86_400);
const DEFAULT_LIMIT: usize = 256;
/// The largest number of hosts. The kernel's own neighbour table is small.
const MOST_HOSTS: i64 = 4096;

/// How the daemon turns hosts on the link into lease events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeighborSettings {
    /// How long a host counts as holding its address after its last packet.
    pub lifetime: Duration,
    /// The largest number of hosts.
    pub limit: usize,
}

impl NeighborSettings {
    /// Reads the keys of a link; `None` if hosts are not to be detected.
    pub(super) fn read(link: &mut Table<'_>) -> Option<Self> {
        let wanted = link.take("neighbors").and_then(Entry::flag).unwrap_or(false);
        let lifetime = link
            .take("neighbor_lifetime")
            .and_then(|entry| entry.lifespan(SHORTEST_LIFETIME..=LONGEST_LIFETIME));
        let limit = link
            .take("neighbor_limit")
            .and_then(|entry| entry.whole(1..=MOST_HOSTS));
        wanted.then(|| Self {
            lifetime: lifetime.unwrap_or(DEFAULT_LIFETIME),
            limit: limit.unwrap_or(DEFAULT_LIMIT),
        })
    }
}
