//! Applies reservations: what a client gets because of them, and what it does not get.

use crate::BindingState;
use crate::leased::Leased;
use crate::message::Ia;
use crate::server::exchange::Exchange;

impl Exchange<'_> {
    /// The client's reservation, if this identity association may have it now.
    pub(super) fn reserved(&self, ia: &Ia<'_>) -> Option<Leased> {
        let kept = self.reservation?.of(ia.kind)?;
        (self.is_open(kept) && self.is_free_for(ia, kept)).then_some(kept)
    }

    /// Whether it is reserved for the client, and can be on this link.
    pub(in crate::server) fn is_own_reserved(&self, leased: Leased) -> bool {
        self.reservation.is_some_and(|own| own.keeps(leased)) && self.link.is_reservable(leased)
    }

    /// Whether nobody holds it except this identity association, or the same interface under another IAID.
    ///
    /// An address belongs to one association at a time (RFC 9915, section 12.1). A machine with two interfaces on a
    /// link has one DUID and an IAID for each, and one interface must not take the other's address. A machine that was
    /// installed again has another IAID, too, but it asks from the holder's link-local address and does not name the
    /// holder's IAID any more. It must not wait for itself.
    fn is_free_for(&self, ia: &Ia<'_>, leased: Leased) -> bool {
        let Some(binding) = self.bindings.at(leased).filter(|binding| binding.is_taken(self.now)) else {
            return true;
        };
        let is_named = |iaid| {
            self.message
                .ias
                .iter()
                .any(|other| (other.kind, other.iaid) == (ia.kind, iaid))
        };
        binding.state == BindingState::Active
            && binding.leased == leased
            && binding.duid == self.client
            && (binding.iaid == ia.iaid || (self.is_holder(leased) && !is_named(binding.iaid)))
    }

    /// Whether the message comes from the interface that holds the reserved address or prefix.
    fn is_holder(&self, leased: Leased) -> bool {
        let Some(binding) = self.bindings.at(leased) else {
            return false;
        };
        let place = self.place();
        let is_same = place.link_local.is_some() && binding.place.link_local == place.link_local;
        is_same && !binding.place.is_elsewhere(place)
    }
}
