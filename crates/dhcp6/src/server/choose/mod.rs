//! Chooses the address or prefix for an identity association.
//!
//! The order of preference is:
//!
//! 1. the one that is reserved for the client, if nobody holds it;
//! 2. the one that the association has or had;
//! 3. one that the client asks for and that was never assigned;
//! 4. the first of the client's keyed sequence that was never assigned;
//! 5. the next one of the pool that was never assigned;
//! 6. one that the client asks for and that nobody holds any more;
//! 7. the one whose lease ended longest ago.
//!
//! So a client keeps its address as long as the pool allows, even between leases.
//!
//! Only clients of a class get addresses of the class's pool, and they get them first.
//!
//! A client at its limit of bindings gets only addresses that it had before. If it holds as many as allowed, its oldest
//! lease that the message does not name is ended for the new one: firmware that boots from the network chooses a new
//! IAID at each boot and never uses the former ones again. A lease that is held from elsewhere is never ended for it.

mod address;
mod prefix;
mod reserved;

use crate::leased::{Kind, Leased};
use crate::message::Ia;
use crate::{Binding, BindingState};

use super::exchange::Exchange;

/// The number of addresses or prefixes of the keyed sequence that are tried. In a pool that is half full, one of
/// sixteen is free except once in 65,000 times; then the search through the pool continues from the first of them.
const PROBES: u32 = 16;
/// The number of addresses or prefixes that are considered of those that a client asks for in one association.
const HINTS: usize = 8;
/// The number of ended bindings that are searched for a reusable one: first in their order, then from a random place.
const LOOKS: usize = 512;
/// Spreads consecutive milliseconds over distant places.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Exchange<'_> {
    /// The address or prefix for an identity association; `None` if there is none.
    pub(super) fn choose(&self, ia: &Ia<'_>) -> Option<Leased> {
        self.reserved(ia).or_else(|| match ia.kind {
            Kind::Address => self.choose_address(ia),
            Kind::Prefix => self.choose_prefix(ia),
        })
    }

    /// The result of [`choose`](Self::choose) after the client's oldest lease was ended. `None` if the client is not at
    /// its limit, or if its message names all its leases.
    pub(super) fn choose_by_making_room(&mut self, ia: &Ia<'_>) -> Option<Leased> {
        if !self.holds_most(ia.kind) {
            return None;
        }
        let oldest = self.oldest_unnamed(ia.kind)?;
        self.making_room.push(oldest);
        let chosen = self.choose(ia);
        if chosen.is_none() {
            self.making_room.pop();
        }
        chosen
    }

    /// The client's lease that was extended longest ago, among those that the message names neither by association nor
    /// by address or prefix.
    fn oldest_unnamed(&self, kind: Kind) -> Option<Leased> {
        let ias = || self.message.ias.iter().filter(|ia| ia.kind == kind);
        let is_named =
            |own: &Binding| ias().any(|ia| ia.iaid == own.iaid || ia.named().any(|named| named == own.leased));
        let own = self.bindings.table(kind).chain(self.client.as_bytes());
        // Another association of the same message already has it.
        let is_free = |own: &Binding| !self.makes_room(own) && !self.taken.contains(&own.leased);
        own.filter(|own| own.is_held(self.now) && self.counts(own) && is_free(own) && !is_named(own))
            .min_by_key(|own| (own.valid_until, own.leased))
            .map(|own| own.leased)
    }

    /// Whether a binding may be ended for a new lease.
    fn makes_room(&self, binding: &Binding) -> bool {
        self.making_room.contains(&binding.leased)
    }

    /// The address or prefix that the association has or had, if it may have it again.
    fn own(&self, ia: &Ia<'_>) -> Option<Leased> {
        let own = self
            .bindings
            .table(ia.kind)
            .of_association(self.client.as_bytes(), ia.iaid)?;
        let may_hold = own.is_held(self.now) || !self.holds_most(ia.kind);
        Some(own.leased).filter(|own| may_hold && self.is_open(*own))
    }

    /// The addresses or prefixes that an identity association asks for and may get.
    fn hints(&self, ia: &Ia<'_>) -> impl Iterator<Item = Leased> {
        ia.named().take(HINTS).filter(|hint| self.is_open(*hint))
    }

    /// Whether it may be assigned: no other client holds a part of it, and this message has not used it.
    fn is_open(&self, leased: Leased) -> bool {
        let is_apart = match leased {
            Leased::Address(_) => true,
            Leased::Prefix(prefix) => !self.bindings.overlapping(prefix).any(|other| other.is_taken(self.now)),
        };
        self.is_in_pool(leased) && is_apart && !self.taken.iter().any(|taken| taken.overlaps(leased))
    }

    /// Whether it was never assigned.
    fn is_fresh(&self, leased: Leased) -> bool {
        self.bindings.at(leased).is_none()
    }

    /// Whether its binding has ended.
    fn is_reusable(&self, leased: Leased) -> bool {
        self.bindings
            .at(leased)
            .is_some_and(|binding| !binding.is_taken(self.now))
    }

    /// The binding that ended longest ago, among those that fit.
    ///
    /// If very many bindings ended that do not fit, because they are in pools of other classes or in no pool any more,
    /// this is any ended one that fits. The search starts at another place for each message, so that one message does
    /// not search all.
    fn oldest(&self, kind: Kind, fits: impl Fn(&Leased) -> bool) -> Option<Leased> {
        let table = self.bindings.table(kind);
        let fits = |leased: &Leased| fits(leased) && self.is_open(*leased);
        let mut longest = table.remembered(self.now).take(LOOKS).map(|binding| binding.leased);
        longest.find(fits).or_else(|| {
            let place = self.now.cast_unsigned().wrapping_mul(SPREAD) >> 32;
            let mut some = table
                .remembered_at(place as usize, LOOKS, self.now)
                .map(|binding| binding.leased);
            some.find(fits)
        })
    }

    /// The client's binding that ended longest ago.
    fn oldest_of_client(&self, kind: Kind) -> Option<Leased> {
        if self.holds_most(kind) {
            return None;
        }
        let ended = |binding: &&Binding| !binding.is_taken(self.now) && self.is_open(binding.leased);
        let own = self.bindings.table(kind).chain(self.client.as_bytes()).filter(ended);
        own.min_by_key(|binding| (binding.valid_until, binding.leased))
            .map(|binding| binding.leased)
    }

    /// Whether a binding counts towards its client's limit. An address in quarantine does not, because the client
    /// cannot use it. Nor does a lease that is held from elsewhere: a stranger who repeats a DUID must not lock out the
    /// client that it belongs to.
    fn counts(&self, own: &Binding) -> bool {
        !own.is_taken(self.now) || (own.state == BindingState::Active && !own.place.is_elsewhere(self.place()))
    }

    /// Whether a client has reached its limit of bindings. Remembered bindings outside of the pools are not counted:
    /// they can never be reused, and the client would be locked out.
    ///
    /// Bindings from another class, or of addresses that were later reserved for another client, are not counted
    /// either. But all together are limited to twice the number, so that a client cannot gain more by changing its
    /// class.
    ///
    /// A lease that was ended for a new one is remembered beyond the limit. It is the first to be reused.
    pub(super) fn is_client_full(&self, kind: Kind) -> bool {
        let (mut open, mut all) = (0, 0);
        let own = self.bindings.table(kind).chain(self.client.as_bytes());
        for binding in own.filter(|own| self.counts(own)) {
            let is_taken = binding.is_taken(self.now);
            open += usize::from(is_taken || self.is_in_pool(binding.leased));
            all += usize::from(is_taken || self.is_in_any_pool(binding.leased));
        }
        let new = self.taken_of(kind).filter(|leased| !self.is_of_client(*leased)).count();
        let most = self.most_of_client(kind);
        let room = self.making_room.iter().filter(|leased| leased.kind() == kind).count();
        open + new >= most + room || all + new >= 2 * most
    }

    /// Whether a client holds as many leases as allowed. Then its remembered bindings exceed the limit, after a pool
    /// has come back that they had left.
    fn holds_most(&self, kind: Kind) -> bool {
        let table = self.bindings.table(kind);
        let is_held = |own: &&Binding| own.is_held(self.now) && self.counts(own) && !self.makes_room(own);
        let held = table.chain(self.client.as_bytes()).filter(is_held).count();
        let is_new = |leased: &Leased| !self.is_of_client(*leased) || self.is_reusable(*leased);
        held + self.taken_of(kind).filter(is_new).count() >= self.most_of_client(kind)
    }

    fn most_of_client(&self, kind: Kind) -> usize {
        match kind {
            Kind::Address => self.link.limits.bindings_per_client,
            Kind::Prefix => self.link.limits.prefixes_per_client,
        }
    }

    /// Whether this client may get it: it is reserved for the client, or it is in a pool for the client's class and not
    /// reserved.
    fn is_in_pool(&self, leased: Leased) -> bool {
        if self.is_own_reserved(leased) {
            return true;
        }
        if self.link.reservations.keeps_from(self.reservation, leased) {
            return false;
        }
        let class = self.class_id();
        match leased {
            Leased::Address(address) => self.link.assigning(address).is_some_and(|pool| pool.serves(class)),
            Leased::Prefix(prefix) => self.link.delegating(prefix).is_some_and(|pool| pool.serves(class)),
        }
    }

    /// Whether any client may get it.
    fn is_in_any_pool(&self, leased: Leased) -> bool {
        match leased {
            Leased::Address(address) => self.link.is_assignable(address),
            Leased::Prefix(prefix) => self.link.delegating(prefix).is_some(),
        }
    }

    /// Whether the client has or had it. A prefix of another length does not count.
    fn is_of_client(&self, leased: Leased) -> bool {
        self.bindings
            .at(leased)
            .is_some_and(|binding| binding.leased == leased && binding.duid == self.client)
    }

    fn is_link_full(&self, kind: Kind) -> bool {
        self.bindings.table(kind).len() + self.taken_of(kind).count() >= self.link.limits.bindings
    }

    fn taken_of(&self, kind: Kind) -> impl Iterator<Item = Leased> {
        let taken = self.taken.iter().copied();
        taken.filter(move |leased| leased.kind() == kind)
    }
}
