//! Hosts that are seen on a link.

use std::time::Duration;

use super::reader::{Entry, Table};

const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);
/// A host is asked thrice in it, and an answer may take three seconds.
const SHORTEST_LIFETIME: Duration = Duration::from_secs(10);
const LONGEST_LIFETIME: Duration = Duration::from_secs(7 * 86_400);
const DEFAULT_LIMIT: usize = 256;
/// The kernel's own table of neighbours is small.
const MOST_HOSTS: i64 = 4096;

/// How hosts that are seen on a link become lease events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeighborSettings {
    /// How long a host holds its address after it was seen.
    pub lifetime: Duration,
    /// Hosts at most.
    pub limit: usize,
}

impl NeighborSettings {
    /// Takes the keys of a link; `None` when hosts are not looked for.
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
