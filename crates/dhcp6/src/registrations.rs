//! Addresses that hosts registered (RFC 9686), separate from the bindings of leases.

use std::net::Ipv6Addr;

use crate::binding::{Binding, Change, Verb};
use crate::bindings::Bindings;
use crate::discard::Discard;
use crate::leased::Leased;
use crate::{Duid, Limits};

impl Bindings {
    /// Adds a recorded registration.
    pub fn load_registration(&mut self, binding: Binding) {
        self.registrations.load(binding);
    }

    /// The registration of an address.
    pub fn registration(&self, address: Ipv6Addr) -> Option<&Binding> {
        self.registrations.at(address)
    }

    /// The change when a client ends its registration; `None` if it has no registration of the address.
    pub(crate) fn deregister(&self, client: &Duid, address: Ipv6Addr, now: i64) -> Option<Change> {
        let own = self.registrations.at(address);
        let own = own.filter(|own| own.duid == *client && own.is_held(now))?;
        Some(Change {
            verb: Verb::Deregister,
            ..Change::release(own, now)
        })
    }

    /// The registration that a new one replaces: that of its address, or, if the client or the link has reached its
    /// limit, the one that ended first.
    ///
    /// # Errors
    ///
    /// When none of these has ended.
    pub(crate) fn make_room_to_register(
        &self,
        new: &Binding,
        limits: &Limits,
        now: i64,
    ) -> Result<Option<Binding>, Discard> {
        let table = &self.registrations;
        let known = table.at(new.leased.first());
        if let Some(own) = known.filter(|known| known.duid == new.duid) {
            return Ok(Some(own.clone()));
        }
        let of_client: Vec<&Binding> = table.chain(new.duid.as_bytes()).collect();
        let ended = || of_client.iter().copied().filter(|binding| !binding.is_held(now));
        if of_client.len() - ended().count() >= limits.registrations_per_client {
            return Err(Discard::TooManyRegistrations);
        }
        if known.is_some() {
            return Ok(known.cloned());
        }
        if of_client.len() >= limits.registrations_per_client {
            return Ok(ended().min_by_key(|binding| binding.valid_until).cloned());
        }
        if table.len() < limits.registrations {
            return Ok(None);
        }
        let oldest = table.remembered(now).next();
        oldest.cloned().map(Some).ok_or(Discard::TooManyRegistrations)
    }

    pub(crate) fn apply_registration(&mut self, change: &Change) {
        let replaced = change.before.as_ref().map(|before| before.leased);
        if let Some(Leased::Address(address)) = replaced.filter(|leased| *leased != change.after.leased) {
            self.registrations.remove(address);
        }
        self.registrations.load(change.after.clone());
    }

    pub(crate) fn undo_registration(&mut self, change: &Change) {
        let address = change.after.leased.first();
        if self.registrations.at(address) != Some(&change.after) {
            return;
        }
        self.registrations.remove(address);
        if let Some(before) = &change.before {
            self.registrations.load(before.clone());
        }
    }
}
