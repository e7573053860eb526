//! The kernel's table of neighbours: every client and every instance that the machine itself speaks with is in it.

use super::backlog;
use crate::{Area, Code, Examined, Facts, Finding, Fix, NeighborLimits, Usage};

const AREA: Area = Area::Neighbors;
/// Linux's own limit is 1,024 for all interfaces of the machine.
const LEAST: u64 = 8192;

pub(super) fn examine(facts: &Facts) -> Examined {
    let neighbors = match &facts.machine {
        Ok(machine) => &machine.neighbors,
        Err(reason) => return Examined::unknown(AREA, reason),
    };
    let limits = match &neighbors.limits {
        Ok(limits) => *limits,
        Err(reason) => return Examined::unknown(AREA, reason),
    };
    let wanted = match &facts.wanted {
        Ok(wanted) => wanted,
        Err(reason) => return Examined::unknown(AREA, reason),
    };
    let (open, wanted) = (&wanted.open, wanted.neighbors);
    let used = neighbors.used.as_ref().copied().unwrap_or_default();
    let seen = format!(
        "gc_thresh3={}, {used} entries, {wanted} leases and instances",
        limits.third
    );
    let mut examined = Examined::new(AREA, seen).with(small(limits, used, wanted));
    if let Err(reason) = &neighbors.used {
        examined = examined.lacking(reason);
    }
    match &neighbors.backlog {
        Ok(backlog) => examined.with(open.iter().filter_map(|link| backlog::short(*backlog, link))),
        // Without such links nobody asks all ports.
        Err(_) if open.is_empty() => examined,
        Err(reason) => examined.lacking(reason),
    }
}

/// The number of entries that the table is to take for so many leases and instances.
fn wanted_entries(wanted: u64) -> u64 {
    wanted
        .saturating_mul(4)
        .max(LEAST)
        .checked_next_power_of_two()
        .unwrap_or(u64::MAX)
}

fn small(limits: NeighborLimits, used: u64, wanted: u64) -> Option<Finding> {
    let (now, soon) = (
        Usage {
            used,
            limit: limits.third,
        },
        Usage {
            used: wanted,
            limit: limits.third,
        },
    );
    let is_full = now.leaves_less_than(10) || wanted > limits.third;
    if !is_full && !soon.leaves_less_than(4) {
        return None;
    }
    let entries = wanted_entries(wanted.max(used));
    let finding = match is_full {
        true => Finding::error(AREA, Code::NeighborTableSmall),
        false => Finding::warning(AREA, Code::NeighborTableSmall),
    };
    let finding = finding
        .what(format!(
            "the kernel's table of neighbours takes {} entries, has {used}, and there are {wanted} leases and instances",
            limits.third
        ))
        .means(
            "when it is full, this machine cannot speak with further clients and instances (\"No buffer space \
             available\"): no Reply arrives, and no instance answers",
        )
        .mend(format!(
            "sysctl -w net.ipv6.neigh.default.gc_thresh3={entries} net.ipv6.neigh.default.gc_thresh2={} \
             net.ipv6.neigh.default.gc_thresh1={}, and in /etc/sysctl.d for the next start",
            entries / 2,
            entries / 4
        ));
    Some(finding.fix(Fix::NeighborTable { entries }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;

    fn found(limit: u64, used: u64, wanted: u64) -> Option<(Severity, u64)> {
        let limits = NeighborLimits {
            first: limit / 4,
            second: limit / 2,
            third: limit,
        };
        small(limits, used, wanted).map(|finding| match finding.fix {
            Some(Fix::NeighborTable { entries }) => (finding.severity, entries),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn the_table_is_compared_with_what_is_leased() {
        assert_eq!(found(1024, 10, 20), None);
        assert_eq!(found(1024, 10, 800), Some((Severity::Warning, 8192)));
        assert_eq!(found(1024, 10, 1025), Some((Severity::Error, 8192)));
        assert_eq!(found(1024, 1000, 20), Some((Severity::Error, 8192)));
        assert_eq!(found(16384, 10, 40_000), Some((Severity::Error, 262_144)));
    }

    #[test]
    fn what_is_mended_is_no_finding_any_more() {
        for wanted in [0, 1, 900, 5000, 70_000] {
            assert_eq!(found(wanted_entries(wanted), 10, wanted), None, "{wanted}");
        }
    }

    #[test]
    fn limits_that_are_not_visible_are_no_fault() {
        let mut facts = Facts::healthy();
        facts.machine_mut().neighbors.limits = Err("another network namespace has them".to_owned());
        let examined = examine(&facts);
        assert!(examined.findings.is_empty() && !examined.is_complete);
    }
}
