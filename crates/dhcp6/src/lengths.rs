//! Prefixes of several lengths, indexed by overlap.
//!
//! All prefixes of a pool have one length, so that two of them are either equal or disjoint. But bindings outlive the
//! settings of their pool, and reservations need no pool.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

/// Prefixes by their first address, with the number of each length.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lengths {
    prefixes: BTreeMap<Ipv6Addr, u8>,
    counts: BTreeMap<u8, usize>,
}

impl Lengths {
    /// Adds a prefix, and replaces one with the same first address.
    pub(crate) fn insert(&mut self, prefix: Ipv6Net) {
        let (first, length) = (prefix.network(), prefix.prefix_len());
        let before = self.prefixes.insert(first, length);
        if before == Some(length) {
            return;
        }
        if let Some(before) = before {
            self.uncount(before);
        }
        *self.counts.entry(length).or_default() += 1;
    }

    /// Removes the prefix with this first address.
    pub(crate) fn remove(&mut self, first: Ipv6Addr) {
        if let Some(length) = self.prefixes.remove(&first) {
            self.uncount(length);
        }
    }

    fn uncount(&mut self, length: u8) {
        if let Some(count) = self.counts.get_mut(&length) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&length);
            }
        }
    }

    /// The first addresses of the prefixes that overlap one: at most one of each length that contains it, and those
    /// that begin inside of it.
    pub(crate) fn overlapping(&self, prefix: Ipv6Net) -> impl Iterator<Item = Ipv6Addr> {
        let shorter = self.counts.range(..prefix.prefix_len()).map(|(length, _)| *length);
        let around = shorter.filter_map(move |length| {
            let first = Ipv6Net::new(prefix.network(), length).ok()?.network();
            // One that begins with this one is among those inside.
            (first != prefix.network() && self.prefixes.get(&first) == Some(&length)).then_some(first)
        });
        let inside = self.prefixes.range(prefix.network()..=prefix.broadcast());
        around.chain(inside.map(|(first, _)| *first))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Prefixes of 2001:db8::/56 between /57 and /64.
    fn prefix() -> impl Strategy<Value = Ipv6Net> {
        (0u128..256, 57u8..=64).prop_map(|(subnet, length)| {
            let address = 0x2001_0db8_u128 << 96 | subnet << 64;
            Ipv6Net::new(address.into(), length).unwrap().trunc()
        })
    }

    proptest! {
        #[test]
        fn overlaps_are_found(known in prop::collection::vec((any::<bool>(), prefix()), 0..60), asked in prefix()) {
            let mut lengths = Lengths::default();
            let mut model = BTreeMap::new();
            for (insert, prefix) in known {
                if insert {
                    lengths.insert(prefix);
                    model.insert(prefix.network(), prefix);
                } else {
                    lengths.remove(prefix.network());
                    model.remove(&prefix.network());
                }
            }
            let overlapping = model.values().filter(|known| known.contains(&asked) || asked.contains(*known));
            let expected: BTreeSet<Ipv6Addr> = overlapping.map(Ipv6Net::network).collect();
            let found: Vec<Ipv6Addr> = lengths.overlapping(asked).collect();
            prop_assert_eq!(found.len(), expected.len());
            prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
            prop_assert_eq!(lengths.counts.values().sum::<usize>(), model.len());
        }
    }
}
