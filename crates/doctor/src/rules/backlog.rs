//! The queue of a processor: what a client asks all ports of a bridge is one frame for each instance there.

use crate::{Area, Code, Finding};

/// The finding for a link without isolation and the number of its instances, if a processor queues few more frames than
/// that.
pub(super) fn short(backlog: u64, (link, instances): (&String, &u64)) -> Option<Finding> {
    if *instances <= backlog / 10 * 9 {
        return None;
    }
    let frames = wanted(*instances);
    let finding = Finding::warning(Area::Neighbors, Code::BacklogShort);
    let finding = finding
        .what(format!(
            "link {link} has no isolation and {instances} instances, and a processor queues {backlog} frames"
        ))
        .means(
            "a client asks all ports of the bridge where an instance is; what the queue has no room for is dropped, so \
             that some instances are found late or not at all",
        )
        .mend(format!(
            "sysctl -w net.core.netdev_max_backlog={frames}, and in /etc/sysctl.d for the next start; or isolation = true \
             for the link, where a client's question passes to its own instance alone"
        ));
    Some(finding)
}

/// A length of the queue that has room for twice as many instances.
fn wanted(instances: u64) -> u64 {
    instances
        .saturating_mul(2)
        .checked_next_power_of_two()
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Facts, Severity};

    fn found(backlog: u64, instances: u64) -> Option<Finding> {
        short(backlog, (&"br1".to_owned(), &instances))
    }

    #[test]
    fn more_instances_than_the_queue_has_room_for_are_told_of() {
        assert_eq!(found(1000, 900), None);
        let finding = found(1000, 901).unwrap();
        assert_eq!(finding.severity, Severity::Warning);
        assert!(
            finding.what.contains("link br1") && finding.what.contains("901 instances"),
            "{finding:?}"
        );
        assert!(finding.mend.contains("net.core.netdev_max_backlog=2048") && finding.mend.contains("isolation = true"));
        assert_eq!(found(10_000, 3000), None);
    }

    #[test]
    fn what_is_mended_is_no_finding_any_more() {
        for instances in [901, 3000, 60_000] {
            assert_eq!(found(wanted(instances), instances), None, "{instances}");
        }
    }

    #[test]
    fn only_links_without_isolation_are_examined() {
        let examine = |facts: &Facts| super::super::neighbors::examine(facts);
        let mut facts = Facts::healthy();
        assert_eq!(examine(&facts).findings, []);
        facts.wanted.as_mut().unwrap().open.insert("br2".to_owned(), 1200);
        let findings = examine(&facts).findings;
        assert_eq!(
            findings.iter().map(|one| one.code).collect::<Vec<_>>(),
            [Code::BacklogShort]
        );
        facts.machine_mut().neighbors.backlog = Err("another network namespace has it".to_owned());
        let examined = examine(&facts);
        assert!(examined.findings.is_empty() && !examined.is_complete);
        facts.wanted.as_mut().unwrap().open.clear();
        assert!(examine(&facts).is_complete);
    }
}
