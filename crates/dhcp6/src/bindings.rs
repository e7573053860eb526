//! The bindings of one link, in three tables: addresses, prefixes, and addresses that hosts registered.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

use crate::binding::{Binding, BindingState, Change, Verb};
use crate::leased::{Kind, Leased};
use crate::lengths::Lengths;
use crate::moves::Moves;
use crate::table::Table;
use crate::{Duid, Iaid};

/// The bindings of one link.
#[derive(Debug, Clone, Default)]
pub struct Bindings {
    addresses: Table,
    prefixes: Table,
    lengths: Lengths,
    /// Registrations of addresses that hosts formed themselves. They are separate, so that they fill no pool and belong
    /// to no association.
    pub(crate) registrations: Table,
    /// The places that are asked whether their client is still there.
    pub(crate) moves: Moves,
}

impl Bindings {
    /// No bindings.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of bindings, including those that are only remembered.
    pub fn len(&self) -> usize {
        self.addresses.len() + self.prefixes.len()
    }

    /// Whether there are no bindings.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reserves memory for so many further addresses of different clients.
    pub fn reserve(&mut self, count: usize) {
        self.addresses.reserve(count);
    }

    /// Adds a recorded binding. It replaces the one of the same address or prefix.
    pub fn load(&mut self, binding: Binding) {
        match binding.leased {
            Leased::Address(_) => self.addresses.load(binding),
            Leased::Prefix(prefix) => {
                self.lengths.insert(prefix);
                self.prefixes.load(binding);
            }
        }
    }

    /// Applies a change.
    pub fn apply(&mut self, change: &Change) {
        match change.verb {
            Verb::Register | Verb::Deregister => self.apply_registration(change),
            _ => self.load(change.after.clone()),
        }
    }

    /// Undoes a change, if its address or prefix still has the binding that the change made.
    ///
    /// Changes must be undone in reverse order.
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

    /// The address of a client's identity association: the active binding, or else the last one that was not declined.
    pub fn by_client(&self, duid: &Duid, iaid: Iaid) -> Option<&Binding> {
        self.addresses.of_association(duid.as_bytes(), iaid)
    }

    /// The prefix of a client's identity association: the active binding, or else the last one.
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

    /// The change by which an admin releases an address or prefix; `None` if no client holds it.
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

    /// The change by which an admin ends the quarantine of a declined address; `None` if it is in none.
    ///
    /// This does not make the change: record it, then [`apply`](Self::apply) it.
    pub fn lift(&self, address: Ipv6Addr, now: i64) -> Option<Change> {
        let binding = self.by_address(address)?;
        let is_declined = binding.state == BindingState::Declined && binding.is_taken(now);
        is_declined.then(|| Change::lift(binding, now))
    }

    /// The bindings of one kind.
    pub(crate) fn table(&self, kind: Kind) -> &Table {
        match kind {
            Kind::Address => &self.addresses,
            Kind::Prefix => &self.prefixes,
        }
    }

    /// The binding that a new one for this address or prefix would replace: its own, or that of another prefix with the
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
