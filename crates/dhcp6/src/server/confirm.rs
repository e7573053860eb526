//! Confirm: whether all addresses fit the link, whichever client holds them (RFC 9915, section 18.3.3).
//!
//! A client may not know that its lease ended: it was restored from an image, or its clock stood still. A Success would
//! let it use an address that nobody reserves for it, until it renews. So the server leases its former address to it
//! again if the address is still free. Otherwise it answers NotOnLink, and the client starts over.
//!
//! Clients do not confirm prefixes, and the server does not judge them.

use dhcproto::v6::Status;

use crate::Leased;
use crate::discard::Discard;
use crate::leased::Kind;
use crate::message::{Ia, Message};

use super::exchange::Exchange;

/// # Errors
///
/// When the message has no address.
pub(super) fn check(message: &Message<'_>) -> Result<(), Discard> {
    let mut named = message.ias.iter().flat_map(Ia::named);
    let has_address = named.any(|named| named.kind() == Kind::Address);
    has_address.then_some(()).ok_or(Discard::NothingToConfirm)
}

pub(super) fn answer(exchange: &mut Exchange<'_>) {
    let message = exchange.message;
    let mut addresses = message.ias.iter().flat_map(Ia::named).filter_map(Leased::address);
    if !addresses.all(|address| exchange.link.is_on_link(address)) {
        let words = "an address does not belong to this link";
        return exchange.reply.put_status(Status::NotOnLink, words);
    }
    let addresses = message.ias.iter().filter(|ia| ia.kind == Kind::Address);
    let lost: Vec<(&Ia<'_>, Leased)> = addresses.filter_map(|ia| Some((ia, lost(exchange, ia)?))).collect();
    if lost.iter().all(|(ia, leased)| exchange.offer(ia) == Some(*leased)) {
        lost.iter().for_each(|(ia, leased)| exchange.grant(ia, *leased));
        exchange
            .reply
            .put_status(Status::Success, "all addresses belong to this link");
    } else {
        let words = "an address is not leased any more, and cannot be leased again";
        exchange.reply.put_status(Status::NotOnLink, words);
    }
}

/// The address that an association names, had, and does not hold any more; `None` if it holds one.
fn lost(exchange: &Exchange<'_>, ia: &Ia<'_>) -> Option<Leased> {
    let own = exchange.bindings.table(ia.kind);
    let own = own.of_association(exchange.client.as_bytes(), ia.iaid)?;
    let is_lost = !own.is_held(exchange.now) && ia.named().any(|named| named == own.leased);
    is_lost.then_some(own.leased)
}
