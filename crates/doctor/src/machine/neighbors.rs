//! The kernel's table of neighbours.

use std::path::Path;

use super::{number, text};
use crate::{Fact, NeighborFacts, NeighborLimits};

/// Where its limits are.
pub(crate) const LIMITS: &str = "proc/sys/net/ipv6/neigh/default";

/// The queue of a processor.
const BACKLOG: &str = "proc/sys/net/core/netdev_max_backlog";

/// Reads its limits and the number of its entries. Both are visible in the first network namespace only.
pub(super) fn read(root: &Path) -> NeighborFacts {
    let limit = |name: &str| {
        let found = number(root, &format!("{LIMITS}/{name}"));
        found.map_err(|_| {
            "the limits of the neighbour table are visible in the machine's first network namespace only".to_owned()
        })
    };
    let limits = || {
        Ok(NeighborLimits {
            first: limit("gc_thresh1")?,
            second: limit("gc_thresh2")?,
            third: limit("gc_thresh3")?,
        })
    };
    NeighborFacts {
        limits: limits(),
        used: used(root),
        backlog: number(root, BACKLOG).map_err(|_| {
            "net.core.netdev_max_backlog is visible in the machine's first network namespace only".to_owned()
        }),
    }
}

/// The first number of the statistics of each processor is that of the whole table.
fn used(root: &Path) -> Fact<u64> {
    let statistics = text(root, "proc/net/stat/ndisc_cache")?;
    let entries = statistics
        .lines()
        .nth(1)
        .and_then(|line| line.split_whitespace().next());
    let entries = entries.and_then(|entries| u64::from_str_radix(entries, 16).ok());
    entries.ok_or_else(|| "/proc/net/stat/ndisc_cache has no number of entries".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_where_it_is_visible() {
        let root = super::super::tree(
            "neighbors",
            &[
                ("proc/sys/net/ipv6/neigh/default/gc_thresh1", "128\n"),
                ("proc/sys/net/ipv6/neigh/default/gc_thresh2", "512\n"),
                ("proc/sys/net/ipv6/neigh/default/gc_thresh3", "1024\n"),
                ("proc/sys/net/core/netdev_max_backlog", "1000\n"),
                (
                    "proc/net/stat/ndisc_cache",
                    "entries,allocs\n0000001f 00000000\n0000001f 00000000\n",
                ),
            ],
        );
        let found = read(&root);
        assert_eq!(found.limits.map(|limits| limits.third), Ok(1024));
        assert_eq!((found.used, found.backlog), (Ok(31), Ok(1000)));
        std::fs::remove_dir_all(&root).unwrap();
        let hidden = read(&root);
        assert!(hidden.limits.unwrap_err().contains("first network namespace") && hidden.used.is_err());
        assert!(hidden.backlog.unwrap_err().contains("first network namespace"));
    }
}
