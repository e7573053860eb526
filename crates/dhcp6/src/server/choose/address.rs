//! Chooses the address for an identity association.

use std::net::Ipv6Addr;

use crate::leased::{Kind, Leased};
use crate::message::Ia;
use crate::server::exchange::Exchange;
use crate::{Order, Pool};

use super::PROBES;

impl Exchange<'_> {
    /// The address for an identity association; `None` if there is none.
    pub(super) fn choose_address(&self, ia: &Ia<'_>) -> Option<Leased> {
        if let Some(own) = self.own(ia) {
            return Some(own);
        }
        if self.is_client_full(Kind::Address) {
            return self.oldest_of_client(Kind::Address);
        }
        let fresh = if self.is_link_full(Kind::Address) {
            None
        } else {
            let hint = self.hints(ia).find(|hint| self.is_fresh(*hint));
            hint.or_else(|| self.vacant_address(ia).map(Leased::Address))
        };
        fresh
            .or_else(|| self.hints(ia).find(|hint| self.is_reusable(*hint)))
            .or_else(|| self.oldest(Kind::Address, |_| true))
    }

    /// An address that has no binding.
    fn vacant_address(&self, ia: &Ia<'_>) -> Option<Ipv6Addr> {
        let mut pools = self.link.pools_for(self.class_id());
        pools.find_map(|pool| self.vacant_address_in(pool, ia))
    }

    fn vacant_address_in(&self, pool: &Pool, ia: &Ia<'_>) -> Option<Ipv6Addr> {
        if pool.order() == Order::Sequential {
            return self.vacant_address_between(pool.first().into(), pool.last().into());
        }
        let candidate = |attempt| pool.candidate(self.key, self.client.as_bytes(), ia.iaid, attempt);
        let is_vacant = |address: &Ipv6Addr| {
            let leased = Leased::Address(*address);
            self.is_open(leased) && self.is_fresh(leased)
        };
        (0..PROBES).map(candidate).find(is_vacant).or_else(|| {
            let start = u128::from(candidate(0));
            self.vacant_address_between(start, pool.last().into())
                .or_else(|| self.vacant_address_between(pool.first().into(), start))
        })
    }

    fn vacant_address_between(&self, from: u128, last: u128) -> Option<Ipv6Addr> {
        let mut from = from;
        loop {
            let address = self.bindings.table(Kind::Address).next_vacant(from, last)?;
            let blocked = self.link.blocked_until(address);
            if blocked.is_none() && self.is_open(Leased::Address(address.into())) {
                return Some(address.into());
            }
            // Skip the whole of a reserved range, or a single address of this message, or up to the prefix if the pool
            // begins before it; and everything that is reserved for others.
            let next = blocked
                .unwrap_or(address)
                .max(self.before_prefix(address))
                .checked_add(1)?;
            from = self.link.reservations.next_open(next)?;
        }
    }

    /// The last address before the link's prefix for an address before it; the very last address for one after it.
    fn before_prefix(&self, address: u128) -> u128 {
        let (network, broadcast) = (self.link.prefix.network().into(), self.link.prefix.broadcast().into());
        match address {
            _ if address < network => network - 1,
            _ if address > broadcast => u128::MAX,
            _ => 0,
        }
    }
}
