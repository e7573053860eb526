//! The bindings of one link: of addresses, of prefixes, and of addresses that hosts registered, in a table each.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

use crate::binding::{Binding, Change, Verb};
use crate::leased::{Kind, Leased};
use crate::lengths::Lengths;
use crate::table::Table;
use crate::{Duid, Iaid};

/// The bindings of one link.
#[derive(Debug, Clone, Default)]
pub struct Bindings {
    addresses: Table,
    prefixes: Table,
    lengths: Lengths,
    /// Registrations of addresses that hosts formed themselves. They are kept apart, so that they fill no pool and
    /// belong to no association.
    pub(crate) registrations: Table,
    /// The link-local addresses that the holders of reserved addresses and prefixes asked from last. They are not
    /// recorded: after a restart a holder is known again from its next message on.
    holders: HashMap<Leased, Ipv6Addr>,
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

    /// Makes room for so many addresses more, each of a client of its own.
    pub fn reserve(&mut self, count: usize) {
        self.addresses.reserve(count);
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
            _ => {
                self.note_holder(change.after.leased, change.holder);
                self.load(change.after.clone());
            }
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
        self.note_holder(change.after.leased, None);
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

    /// The change by which an administrator releases an address or prefix, or `None` when no client holds it.
    ///
    /// This does not make the change: record it, then [`apply`](Self::apply) it.
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

    /// The link-local address that the holder of a reserved address or prefix asked from last, where that is known.
    pub(crate) fn holder(&self, leased: Leased) -> Option<Ipv6Addr> {
        self.holders.get(&leased).copied()
    }

    fn note_holder(&mut self, leased: Leased, holder: Option<Ipv6Addr>) {
        match holder {
            Some(address) => self.holders.insert(leased, address),
            None => self.holders.remove(&leased),
        };
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
