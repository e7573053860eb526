//! What was counted since the last look.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use orchestrator_host::{Count, DropCause, PolicyCounts, RebuildReason};

use super::sender::Sender;

type Known<K> = BTreeMap<(K, DropCause), u64>;

/// The counts of the last look.
#[derive(Debug, Default)]
pub(super) struct Seen {
    ports: Known<String>,
    clients: Known<[u8; 6]>,
    routed: Known<Ipv6Addr>,
    rebuilds: BTreeMap<RebuildReason, u64>,
    has_looked: bool,
}

/// What was counted since the last look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Increase {
    /// Packets by link and cause; of no link for a port that is on none any more.
    pub(super) links: BTreeMap<(Option<String>, DropCause), u64>,
    /// Packets by sender and cause. None at the first look: nobody knows when they were counted.
    pub(super) senders: BTreeMap<Sender, BTreeMap<DropCause, u64>>,
    /// How often the rules were made anew, by reason.
    pub(super) rebuilds: BTreeMap<RebuildReason, u64>,
}

impl Seen {
    /// Takes in the counts of this look.
    pub(super) fn look(&mut self, counts: &PolicyCounts) -> Increase {
        let mut increase = Increase::default();
        let is_first = !std::mem::replace(&mut self.has_looked, true);
        let ports = grown(&mut self.ports, &counts.ports);
        let routed = grown(&mut self.routed, &counts.routed);
        let clients = grown(&mut self.clients, &counts.clients);
        let of_ports = ports
            .iter()
            .map(|(port, cause, packets)| (counts.bridges.get(port), cause, packets));
        let of_routed = routed.iter().map(|(address, cause, packets)| {
            let port = counts.routed_ports.get(address);
            (port.and_then(|port| counts.bridges.get(port)), cause, packets)
        });
        for (link, cause, packets) in of_ports.chain(of_routed) {
            *increase.links.entry((link.cloned(), *cause)).or_default() += packets;
        }
        let senders = (ports.into_iter())
            .map(|(port, cause, packets)| (Sender::Port(port), cause, packets))
            .chain(
                routed
                    .into_iter()
                    .map(|(at, cause, packets)| (Sender::Routed(at), cause, packets)),
            )
            .chain(
                clients
                    .into_iter()
                    .map(|(mac, cause, packets)| (Sender::Client(mac), cause, packets)),
            );
        for (sender, cause, packets) in senders.filter(|_| !is_first) {
            *increase.senders.entry(sender).or_default().entry(cause).or_default() += packets;
        }
        for (reason, times) in &counts.rebuilds {
            let before = self.rebuilds.insert(*reason, *times).unwrap_or_default();
            let more = times.checked_sub(before).unwrap_or(*times);
            increase.rebuilds.extend((more > 0).then_some((*reason, more)));
        }
        increase
    }
}

/// What each has more than before. A count that fell began anew; one that is gone is forgotten.
fn grown<K: Ord + Clone>(
    known: &mut Known<K>,
    counts: &BTreeMap<K, BTreeMap<DropCause, Count>>,
) -> Vec<(K, DropCause, u64)> {
    let each = counts.iter().flat_map(|(key, causes)| {
        causes
            .iter()
            .map(move |(cause, count)| ((key.clone(), *cause), count.packets))
    });
    let now: Known<K> = each.collect();
    let more = |((key, cause), packets): (&(K, DropCause), &u64)| {
        let before = known.get(&(key.clone(), *cause)).copied().unwrap_or_default();
        let more = packets.checked_sub(before).unwrap_or(*packets);
        (more > 0).then(|| (key.clone(), *cause, more))
    };
    let grown = now.iter().filter_map(more).collect();
    *known = now;
    grown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn causes(packets: u64) -> BTreeMap<DropCause, Count> {
        [(DropCause::Source, Count { packets, bytes: 0 })].into()
    }

    fn counts(port: u64, client: u64) -> PolicyCounts {
        PolicyCounts {
            ports: [("tap1".to_owned(), causes(port))].into(),
            bridges: [("tap1".to_owned(), "br0".to_owned())].into(),
            clients: [([2; 6], causes(client))].into(),
            ..PolicyCounts::default()
        }
    }

    fn of_link(increase: &Increase) -> u64 {
        increase
            .links
            .get(&(Some("br0".to_owned()), DropCause::Source))
            .copied()
            .unwrap_or_default()
    }

    #[test]
    fn the_first_look_counts_for_the_link_and_accuses_nobody() {
        let mut seen = Seen::default();
        let first = seen.look(&counts(5, 5));
        assert_eq!((of_link(&first), first.senders.len()), (5, 0));
        let second = seen.look(&counts(7, 6));
        assert_eq!(of_link(&second), 2);
        assert_eq!(second.senders[&Sender::Client([2; 6])], [(DropCause::Source, 1)].into());
        assert_eq!(seen.look(&counts(7, 6)), Increase::default());
    }

    #[test]
    fn a_count_that_fell_began_anew() {
        let mut seen = Seen::default();
        seen.look(&counts(100, 100));
        assert_eq!(of_link(&seen.look(&counts(3, 3))), 3);
        // One that was gone for a look, too.
        seen.look(&PolicyCounts::default());
        assert_eq!(of_link(&seen.look(&counts(2, 2))), 2);
    }

    #[test]
    fn what_the_host_routed_belongs_to_the_link_of_the_instance() {
        let at: Ipv6Addr = "fd39::2:1".parse().unwrap();
        let counts = PolicyCounts {
            routed: [(at, causes(4))].into(),
            routed_ports: [(at, "or1".to_owned())].into(),
            bridges: [("or1".to_owned(), "br0".to_owned())].into(),
            ..PolicyCounts::default()
        };
        assert_eq!(of_link(&Seen::default().look(&counts)), 4);
    }

    #[test]
    fn each_rebuild_is_told_once() {
        let with = |times| PolicyCounts {
            rebuilds: [(RebuildReason::Foreign, times)].into(),
            ..PolicyCounts::default()
        };
        let mut seen = Seen::default();
        assert_eq!(seen.look(&with(1)).rebuilds, [(RebuildReason::Foreign, 1)].into());
        assert!(seen.look(&with(1)).rebuilds.is_empty());
        assert_eq!(seen.look(&with(3)).rebuilds, [(RebuildReason::Foreign, 2)].into());
    }
}
