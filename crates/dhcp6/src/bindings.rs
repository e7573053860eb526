//! The bindings of one link: of addresses, of prefixes, and of addresses that hosts registered, in a table each.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

use crate::binding::{Binding, Change, Verb};
use crate::leased::{Kind, Leased};
use crate::table::Table;
use crate::{Duid, Iaid};

/// The bindings of one link.
#[derive(Debug, Clone, Default)]
pub struct Bindings {
    addresses: Table,
    prefixes: Table,
    lengths: Lengths,
    /// Of addresses that hosts made themselves; apart, so that they fill no pool and are no association's.
    pub(crate) registrations: Table,
}

/// The prefixes that have bindings, by first address, and how many there are of each length.
///
/// All prefixes of a pool have one length, so that one either is another or is apart from it; but bindings outlive the
/// settings of the pool that they came from.
#[derive(Debug, Clone, Default)]
struct Lengths {
    prefixes: BTreeMap<Ipv6Addr, u8>,
    counts: BTreeMap<u8, usize>,
}

impl Bindings {
    /// No bindings.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bindings there are, those that are only remembered included.
    pub fn len(&self) -> usize {
        self.addresses.len() + self.prefixes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a binding in as it was recorded; it replaces what was known of its address or prefix.
    pub fn load(&mut self, binding: Binding) {
        match binding.leased {
            Leased::Address(_) => self.addresses.load(binding),
            Leased::Prefix(prefix) => {
                self.lengths.insert(prefix);
                self.prefixes.load(binding);
            }
        }
    }

    /// Makes a change.
    pub fn apply(&mut self, change: &Change) {
        match change.verb {
            Verb::Register | Verb::Deregister => self.apply_registration(change),
            _ => self.load(change.after.clone()),
        }
    }

    /// Takes a change back, if its address or prefix still has the binding that the change gave it.
    ///
    /// Changes are taken back in reverse order.
    pub fn undo(&mut self, change: &Change) {
        if matches!(change.verb, Verb::Register | Verb::Deregister) {
            return self.undo_registration(change);
        }
        if self.at(change.after.leased) != Some(&change.after) {
            return;
        }
        match &change.before {
            Some(before) => self.load(before.clone()),
            None => self.remove(change.after.leased),
        }
    }

    /// The binding of an address.
    pub fn by_address(&self, address: Ipv6Addr) -> Option<&Binding> {
        self.addresses.at(address)
    }

    /// The binding of a prefix.
    pub fn by_prefix(&self, prefix: Ipv6Net) -> Option<&Binding> {
        let leased = Leased::from(prefix);
        self.at(leased).filter(|binding| binding.leased == leased)
    }

    /// The address of a client's identity association: the active binding, else the last that it had and did not refuse.
    pub fn by_client(&self, duid: &Duid, iaid: Iaid) -> Option<&Binding> {
        self.addresses.of_association(duid.as_bytes(), iaid)
    }

    /// The prefix of a client's identity association: the active binding, else the last that it had.
    pub fn prefix_by_client(&self, duid: &Duid, iaid: Iaid) -> Option<&Binding> {
        self.prefixes.of_association(duid.as_bytes(), iaid)
    }

    /// All bindings of a client, in no order.
    pub fn of_client(&self, duid: &Duid) -> impl Iterator<Item = &Binding> {
        self.addresses
            .chain(duid.as_bytes())
            .chain(self.prefixes.chain(duid.as_bytes()))
            .chain(self.registrations.chain(duid.as_bytes()))
    }

    /// All bindings, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Binding> {
        self.addresses.iter().chain(self.prefixes.iter())
    }

    /// What an admin's release of an address or prefix changes; nothing when no client holds it.
    ///
    /// The change is not made: record it, and [`apply`](Self::apply) it.
    pub fn release(&self, leased: impl Into<Leased>, now: i64) -> Option<Change> {
        let leased = leased.into();
        if let Some(own) = leased.address().and_then(|address| self.registration(address)) {
            return self.deregister(&own.duid, own.leased.first(), now);
        }
        let binding = self.at(leased).filter(|own| own.leased == leased && own.is_held(now))?;
        Some(Change {
            link_layer: binding.duid.link_layer(),
            ..Change::release(binding, now)
        })
    }

    /// The bindings of one kind.
    pub(crate) fn table(&self, kind: Kind) -> &Table {
        match kind {
            Kind::Address => &self.addresses,
            Kind::Prefix => &self.prefixes,
        }
    }

    /// The binding that one of this address or prefix takes the place of: its own, or that of another prefix with the
    /// same first address.
    pub fn at(&self, leased: Leased) -> Option<&Binding> {
        self.table(leased.kind()).at(leased.first())
    }

    /// The bindings of all other prefixes that have an address in common with this one.
    pub(crate) fn overlapping(&self, prefix: Ipv6Net) -> impl Iterator<Item = &Binding> {
        self.lengths
            .overlapping(prefix)
            .filter_map(|first| self.prefixes.at(first))
            .filter(move |binding| binding.leased != Leased::Prefix(prefix))
    }

    fn remove(&mut self, leased: Leased) {
        match leased {
            Leased::Address(address) => self.addresses.remove(address),
            Leased::Prefix(prefix) => {
                self.lengths.remove(prefix.network());
                self.prefixes.remove(prefix.network());
            }
        }
    }
}

impl Lengths {
    /// Notes a prefix in place of what had the same first address.
    fn insert(&mut self, prefix: Ipv6Net) {
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

    fn remove(&mut self, first: Ipv6Addr) {
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

    /// First addresses of the prefixes that overlap one: those around it, of which each length has one at most, and
    /// those that begin inside of it.
    fn overlapping(&self, prefix: Ipv6Net) -> impl Iterator<Item = Ipv6Addr> {
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
