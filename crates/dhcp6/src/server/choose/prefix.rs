//! Chooses the prefix for an identity association. The length is chosen first.
//!
//! A client may hint at a length (RFC 8168). The pool that fits best serves it; pools that fit equally well are tried
//! in the order of the settings. At Renew and Rebind, a hint that differs from the client's prefix changes nothing: a
//! network in use is not renumbered because its router would like more room. At Solicit and Request the client gets the
//! length that it asks for.

use ipnet::Ipv6Net;

use crate::leased::{Kind, Leased};
use crate::message::Ia;
use crate::server::exchange::Exchange;
use crate::table::position;
use crate::{MessageKind, Order, PrefixPool};

use super::PROBES;

/// The number of prefixes without a binding that a search skips because they overlap a held one.
///
/// There are many only after the length of a pool was changed in the settings.
const PASSED_OVER: usize = 256;

impl Exchange<'_> {
    /// The prefix for an identity association; `None` if there is none.
    pub(super) fn choose_prefix(&self, ia: &Ia<'_>) -> Option<Leased> {
        let own = self.own(ia);
        let extends = matches!(self.message.kind, MessageKind::Renew | MessageKind::Rebind);
        let hint = ia.length_hint().filter(|_| own.is_none() || !extends);
        let rank = |pool: &&PrefixPool| hint.map(|hint| pool.rank(hint));
        let all = self.link.delegation.iter();
        let mut pools: Vec<&PrefixPool> = all.filter(|pool| pool.serves(self.class_id())).collect();
        pools.sort_by_key(|pool| (rank(pool), !pool.is_of_class()));
        let mut alike = pools.chunk_by(|one, other| rank(one) == rank(other));
        if self.is_client_full(Kind::Prefix) {
            return own.or_else(|| self.oldest_of_client(Kind::Prefix));
        }
        alike.find_map(|pools| self.choose_among(pools, ia, own))
    }

    /// The prefix of these pools that comes first in the order of [`choose`](Self::choose).
    fn choose_among(&self, pools: &[&PrefixPool], ia: &Ia<'_>, own: Option<Leased>) -> Option<Leased> {
        let is_inside = |leased: &Leased| {
            let prefix = leased.prefix();
            prefix.is_some_and(|prefix| pools.iter().any(|pool| pool.contains(prefix)))
        };
        let hints = || self.hints(ia).filter(is_inside);
        let fresh = || {
            if self.is_link_full(Kind::Prefix) {
                return None;
            }
            let hint = hints().find(|hint| self.is_fresh(*hint));
            hint.or_else(|| pools.iter().find_map(|pool| self.vacant_prefix(pool, ia)))
        };
        own.filter(is_inside)
            .or_else(fresh)
            .or_else(|| hints().find(|hint| self.is_reusable(*hint)))
            .or_else(|| self.oldest(Kind::Prefix, is_inside))
    }

    /// A prefix of a pool that has no binding.
    fn vacant_prefix(&self, pool: &PrefixPool, ia: &Ia<'_>) -> Option<Leased> {
        if pool.order() == Order::Sequential {
            return self.vacant_prefix_between(pool, pool.first(), pool.last());
        }
        let candidate = |attempt| pool.candidate(self.key, self.client.as_bytes(), ia.iaid, attempt);
        let leased = |attempt| Leased::from(candidate(attempt));
        let is_vacant = |leased: &Leased| self.is_open(*leased) && self.is_fresh(*leased);
        (0..PROBES).map(leased).find(is_vacant).or_else(|| {
            let start = candidate(0);
            self.vacant_prefix_between(pool, start, pool.last())
                .or_else(|| self.vacant_prefix_between(pool, pool.first(), start))
        })
    }

    fn vacant_prefix_between(&self, pool: &PrefixPool, from: Ipv6Net, last: Ipv6Net) -> Option<Leased> {
        let [first, mut from, last] = [pool.first(), from, last].map(|prefix| position(prefix.into()));
        for _ in 0..PASSED_OVER {
            let vacant = self.bindings.table(Kind::Prefix).next_vacant(from, last)?;
            let leased = Leased::from(pool.nth(vacant - first));
            if self.is_open(leased) {
                return Some(leased);
            }
            // Skip everything that is reserved for others.
            from = position(self.link.reservations.last_beside(leased)) + 1;
        }
        None
    }
}
