//! Which address an identity association is given.
//!
//! In this order: the one it has or had; one it asks for, when that has never been anyone's; the first of the keyed
//! sequence of its client that is so; the next one in the pool that is so. Only when there is none: one it asks for
//! that nobody holds any more; the one whose lease ended longest ago. What a client has is thus stable for as long as
//! the pool allows, and what it had is kept for it for as long as there are others to give.
//!
//! A client at its limit of bindings is given none but those that it had itself.

use std::net::Ipv6Addr;

use crate::message::Ia;
use crate::{Binding, Order};

use super::exchange::Exchange;

/// How many addresses of the keyed sequence are tried. In a pool that is half full one of sixteen is free but once in
/// 65,000 times; then the search through the pool goes on from the first of them.
const PROBES: u32 = 16;
/// How many of the addresses that a client asks for in one association are looked at.
const HINTS: usize = 8;

impl Exchange<'_> {
    /// The address that an identity association is to be given; nothing when there is none.
    pub(super) fn choose(&self, ia: &Ia<'_>) -> Option<Ipv6Addr> {
        let own = self.bindings.of_association(self.client.as_bytes(), ia.iaid);
        if let Some(own) = own.filter(|own| self.is_open(own.address)) {
            return Some(own.address);
        }
        if self.is_client_full() {
            return self.oldest_of_client();
        }
        let hints = || ia.addresses().take(HINTS).filter(|hint| self.is_open(*hint));
        let fresh = if self.is_link_full() {
            None
        } else {
            hints()
                .find(|hint| self.bindings.by_address(*hint).is_none())
                .or_else(|| self.vacant(ia))
        };
        fresh
            .or_else(|| hints().find(|hint| self.is_reusable(*hint)))
            .or_else(|| self.oldest())
    }

    /// Whether an address may be handed out and is not spoken for in this message.
    fn is_open(&self, address: Ipv6Addr) -> bool {
        self.link.is_assignable(address) && !self.taken.contains(&address)
    }

    /// Whether an address had a binding that holds it no more.
    fn is_reusable(&self, address: Ipv6Addr) -> bool {
        self.bindings
            .by_address(address)
            .is_some_and(|binding| !binding.is_taken(self.now))
    }

    /// An address that has no binding.
    fn vacant(&self, ia: &Ia<'_>) -> Option<Ipv6Addr> {
        let pool = &self.link.pool;
        if pool.order() == Order::Sequential {
            return self.vacant_between(pool.first().into(), pool.last().into());
        }
        let candidate = |attempt| pool.candidate(self.key, self.client.as_bytes(), ia.iaid, attempt);
        let is_vacant = |address: &Ipv6Addr| self.is_open(*address) && self.bindings.by_address(*address).is_none();
        (0..PROBES).map(candidate).find(is_vacant).or_else(|| {
            let start = u128::from(candidate(0));
            self.vacant_between(start, pool.last().into())
                .or_else(|| self.vacant_between(pool.first().into(), start))
        })
    }

    fn vacant_between(&self, from: u128, last: u128) -> Option<Ipv6Addr> {
        let mut from = from;
        loop {
            let address = self.bindings.next_vacant(from, last)?;
            let blocked = self.link.blocked_until(address);
            if blocked.is_none() && self.is_open(address.into()) {
                return Some(address.into());
            }
            // Over the whole of a reserved range, over a single address of this message, to the prefix where the
            // pool begins before it.
            from = blocked
                .unwrap_or(address)
                .max(self.before_prefix(address))
                .checked_add(1)?;
        }
    }

    /// The last address before the link's prefix, for an address that comes before it; the very last, for one after it.
    fn before_prefix(&self, address: u128) -> u128 {
        let (network, broadcast) = (self.link.prefix.network().into(), self.link.prefix.broadcast().into());
        match address {
            _ if address < network => network - 1,
            _ if address > broadcast => u128::MAX,
            _ => 0,
        }
    }

    /// The address of the link whose lease ended longest ago.
    fn oldest(&self) -> Option<Ipv6Addr> {
        self.bindings
            .remembered(self.now)
            .map(|binding| binding.address)
            .find(|address| self.is_open(*address))
    }

    /// The address of the client whose lease ended longest ago.
    fn oldest_of_client(&self) -> Option<Ipv6Addr> {
        let ended = |binding: &&Binding| !binding.is_taken(self.now) && self.is_open(binding.address);
        let own = self.bindings.chain(self.client.as_bytes()).filter(ended);
        own.min_by_key(|binding| (binding.valid_until, binding.address))
            .map(|binding| binding.address)
    }

    /// Whether a client has as many bindings as it may. What is remembered of addresses that left the pool is not
    /// counted: it could never be reused, and the client would be shut out.
    fn is_client_full(&self) -> bool {
        let counts = |binding: &&Binding| binding.is_taken(self.now) || self.link.is_assignable(binding.address);
        let known = self.bindings.chain(self.client.as_bytes()).filter(counts).count();
        let new = self
            .taken
            .iter()
            .filter(|address| !self.is_of_client(**address))
            .count();
        known + new >= self.link.limits.bindings_per_client
    }

    fn is_of_client(&self, address: Ipv6Addr) -> bool {
        self.bindings
            .by_address(address)
            .is_some_and(|binding| binding.duid == self.client)
    }

    fn is_link_full(&self) -> bool {
        self.bindings.len() + self.taken.len() >= self.link.limits.bindings
    }
}
