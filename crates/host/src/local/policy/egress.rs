//! Lists of destinations: which class each has, and what it is in boxes that do not overlap.

use std::collections::BTreeMap;

use ipnet::Ipv6Net;
use orchestrator_network::FilterElement;

use crate::{Destination, Protocol};

/// Classes of destinations: instances with equal lists share one.
#[derive(Debug, Default)]
pub(super) struct Classes {
    taken: BTreeMap<Vec<Destination>, (u8, usize)>,
}

impl Classes {
    /// The class of a list, which has one user more now; `None` when all classes are taken.
    pub(super) fn take(&mut self, list: &[Destination]) -> Option<u8> {
        let key = sorted(list);
        if let Some((class, users)) = self.taken.get_mut(&key) {
            *users += 1;
            return Some(*class);
        }
        let is_free = |class: &u8| self.taken.values().all(|(taken, _)| taken != class);
        let class = (0..FilterElement::CLASSES).find(is_free)?;
        self.taken.insert(key, (class, 1));
        Some(class)
    }

    /// The class of a list has one user less.
    pub(super) fn give_back(&mut self, list: &[Destination]) {
        let key = sorted(list);
        if let Some((_, users)) = self.taken.get_mut(&key) {
            *users -= 1;
            if *users == 0 {
                self.taken.remove(&key);
            }
        }
    }
}

fn sorted(list: &[Destination]) -> Vec<Destination> {
    let mut list = list.to_vec();
    list.sort();
    list.dedup();
    list
}

/// Protocols that are treated alike: TCP, ICMPv6 and UDP have a range each, and what lies between them.
const RANGES: [(u8, u8); 7] = [(0, 5), (6, 6), (7, 16), (17, 17), (18, 57), (58, 58), (59, 255)];
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

/// The elements of a class: boxes of prefix, protocols and ports. The kernel takes no two that overlap.
pub(super) fn elements(class: u8, list: &[Destination]) -> Vec<FilterElement> {
    let mut list = sorted(list);
    // The wider prefix first: what is within it takes only the ports that it leaves.
    list.sort_by_key(|destination| destination.prefix.prefix_len());
    let mut all = Vec::new();
    for protocols in RANGES {
        let mut wider: Vec<(Ipv6Net, (u16, u16))> = Vec::new();
        for destination in &list {
            let Some(ports) = ports(destination, protocols.0) else {
                continue;
            };
            let prefix = destination.prefix.trunc();
            let taken: Vec<(u16, u16)> = wider
                .iter()
                .filter(|(other, _)| other.contains(&prefix))
                .map(|(_, ports)| *ports)
                .collect();
            for left in without(ports, taken) {
                all.push(FilterElement::destination(class, prefix, protocols, left));
                wider.push((prefix, left));
            }
        }
    }
    all
}

/// The ports of a protocol that a destination names. Echo requests and errors of ICMPv6 go with each.
fn ports(destination: &Destination, protocol: u8) -> Option<(u16, u16)> {
    let Some(traffic) = destination.traffic else {
        return Some((0, u16::MAX));
    };
    let named = match traffic.protocol {
        Protocol::Tcp => TCP,
        Protocol::Udp => UDP,
    };
    match protocol {
        ICMPV6 => Some((0, u16::MAX)),
        protocol if protocol == named => Some((traffic.first, traffic.last)),
        _ => None,
    }
}

/// A range without others.
fn without(range: (u16, u16), mut taken: Vec<(u16, u16)>) -> Vec<(u16, u16)> {
    taken.sort_unstable();
    let mut left = Vec::new();
    let mut from = u32::from(range.0);
    for (first, last) in taken {
        let (first, last) = (u32::from(first), u32::from(last));
        if first > u32::from(range.1) || last < from {
            continue;
        }
        if first > from {
            left.push((from, first - 1));
        }
        from = from.max(last + 1);
    }
    if from <= u32::from(range.1) {
        left.push((from, u32::from(range.1)));
    }
    let short = |port: u32| u16::try_from(port).unwrap_or(u16::MAX);
    left.into_iter()
        .map(|(first, last)| (short(first), short(last)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Traffic;

    fn to(prefix: &str, traffic: Option<(u16, u16)>) -> Destination {
        Destination {
            prefix: prefix.parse().unwrap(),
            traffic: traffic.map(|(first, last)| Traffic {
                protocol: Protocol::Tcp,
                first,
                last,
            }),
        }
    }

    #[test]
    fn what_a_wider_prefix_allows_is_not_repeated() {
        let wide = [to("::/0", Some((80, 90)))];
        let both = [to("fd00::/8", Some((80, 90))), wide[0]];
        assert_eq!(elements(1, &both), elements(1, &wide));
        let more = [to("fd00::/8", Some((70, 100))), wide[0]];
        assert_eq!(elements(1, &more).len(), elements(1, &wide).len() + 2);
        let all = [to("fd00::/8", Some((70, 100))), to("::/0", None)];
        assert_eq!(elements(1, &all), elements(1, &[to("::/0", None)]));
    }

    #[test]
    fn ranges_are_cut() {
        assert_eq!(without((10, 20), vec![]), [(10, 20)]);
        assert_eq!(without((10, 20), vec![(12, 13), (0, 10)]), [(11, 11), (14, 20)]);
        assert_eq!(without((0, u16::MAX), vec![(0, u16::MAX)]), []);
    }

    #[test]
    fn equal_lists_share_a_class_until_nobody_uses_it() {
        let mut classes = Classes::default();
        let (a, b) = ([to("::/0", None)], [to("fd00::/8", None)]);
        assert_eq!(
            (classes.take(&a), classes.take(&a), classes.take(&b)),
            (Some(0), Some(0), Some(1))
        );
        classes.give_back(&a);
        assert_eq!(classes.take(&[]), Some(2));
        classes.give_back(&a);
        assert_eq!(classes.take(&[to("fd01::/16", None)]), Some(0));
    }
}
