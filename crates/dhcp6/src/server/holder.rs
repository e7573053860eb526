//! Compares where a message about a lease comes from with the place that holds the lease.
//!
//! - Release and Decline count only from the holder's place. Otherwise they are dropped: an honest client repeats them,
//!   and a stranger learns nothing.
//! - Request, Renew, Rebind and Confirm from elsewhere get no answer until the caller has asked the holder's place
//!   ([`Bindings::ask`](crate::Bindings::ask)). No Reply waits for the result; the client's repetition finds it. If the
//!   holder is gone, the client takes its lease along. If it answers, the client is refused that lease.
//! - A Solicit is answered at once: an Advertise promises nothing.

use dhcproto::v6::Status;

use crate::discard::Discard;
use crate::leased::Kind;
use crate::message::Ia;
use crate::moves::Known;
use crate::{Binding, Elsewhere, LinkLayerSource, Place};

use super::exchange::Exchange;

/// Where a message about a lease comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// From the place that holds the lease, or from elsewhere after that place has become empty.
    Holder,
    /// From elsewhere, and nothing is known about this place, which holds the lease.
    NotAsked(Place),
    /// From elsewhere, and the holder is at this place.
    Elsewhere(Place),
}

const WORDS: &str = "another machine uses this DUID and IAID and holds the lease";

impl Exchange<'_> {
    /// Where the message comes from, compared with the place that holds a lease.
    pub(super) fn standing(&self, held: &Binding) -> Standing {
        if !held.place.is_elsewhere(self.place()) {
            return Standing::Holder;
        }
        match self.bindings.known_of(&held.place, self.now) {
            Known::Gone => Standing::Holder,
            Known::There => Standing::Elsewhere(held.place),
            Known::Nothing => Standing::NotAsked(held.place),
        }
    }

    /// Whether an identity association may have the lease that is held for it, if there is one. If not, the answer says
    /// so.
    ///
    /// # Errors
    ///
    /// When the holder's place must be asked first.
    pub(super) fn is_admitted(&mut self, ia: &Ia<'_>) -> Result<bool, Discard> {
        match self.held(ia).map(|held| self.standing(held)) {
            None | Some(Standing::Holder) => Ok(true),
            Some(Standing::NotAsked(holder)) => Err(self.holder_asked(holder)),
            Some(Standing::Elsewhere(holder)) => {
                let status = match ia.kind {
                    Kind::Address => Status::NoAddrsAvail,
                    Kind::Prefix => Status::NoPrefixAvail,
                };
                self.refuse_elsewhere(ia, holder, status);
                Ok(false)
            }
        }
    }

    /// Refuses the lease of an identity association to a client that is elsewhere.
    pub(super) fn refuse_elsewhere(&mut self, ia: &Ia<'_>, holder: Place, status: Status) {
        self.elsewhere = Some(Elsewhere::Held(holder));
        self.refuse(ia, status, WORDS);
    }

    pub(super) fn holder_asked(&self, holder: Place) -> Discard {
        let kind = self.message.kind;
        Discard::HolderAsked { kind, holder }
    }

    /// Checks that a message that ends a lease comes from the place that holds it.
    ///
    /// If the link-layer address was observed when the lease was granted, and addresses are still observed, it counts
    /// in any case: otherwise a stranger could hide its own by having more sent than can be observed.
    ///
    /// # Errors
    ///
    /// When it comes from elsewhere, or when that is not certain.
    pub(super) fn check_holder(&self, held: &Binding) -> Result<(), Discard> {
        let (kind, holder, from) = (self.message.kind, held.place, self.place());
        let missed = from.relay.is_none() && holder.link_layer.is_some() && self.source() == LinkLayerSource::Missed;
        if missed {
            return Err(Discard::SenderNotObserved(kind));
        }
        // A client may send from an address that it holds instead of its link-local one.
        let is_named = holder.link_local.is_none() || from.link_local.is_some() || self.holds_source();
        match holder.is_elsewhere(from) || !is_named {
            true => Err(Discard::NotFromHolder { kind, holder }),
            false => Ok(()),
        }
    }

    /// Whether the client holds the address that the message was sent from.
    fn holds_source(&self) -> bool {
        let own = self.bindings.by_address(self.sent_from);
        own.is_some_and(|own| own.is_held(self.now) && own.duid == self.client)
    }
}
