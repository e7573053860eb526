//! Confirm: whether all addresses fit the link, whichever client holds them (RFC 9915, section 18.3.3).
//!
//! A client may not know that its lease ended: it was restored from an image, or its clock stood still. A Success would
//! let it use an address that nobody reserves for it, until it renews. So the server leases its former address to it
//! again if the address is still free. Otherwise it answers NotOnLink, and the client starts over.
//!
//! Clients do not confirm prefixes, and the server does not judge them.

use dhcproto::v6::Status;

use crate::discard::Discard;
use crate::leased::Kind;
use crate::message::{Ia, Message};
use crate::{Elsewhere, Leased};

use super::exchange::Exchange;
use super::holder::Standing;

/// # Errors
///
/// When the message has no address.
pub(super) fn check(message: &Message<'_>) -> Result<(), Discard> {
    let mut named = message.ias.iter().flat_map(Ia::named);
    let has_address = named.any(|named| named.kind() == Kind::Address);
    has_address.then_some(()).ok_or(Discard::NothingToConfirm)
}

pub(super) fn answer(exchange: &mut Exchange<'_>) -> Result<(), Discard> {
    let message = exchange.message;
    let mut addresses = message.ias.iter().flat_map(Ia::named).filter_map(Leased::address);
    if !addresses.all(|address| exchange.link.is_on_link(address)) {
        let words = "an address does not belong to this link";
        exchange.reply.put_status(Status::NotOnLink, words);
        return Ok(());
    }
    for ia in message.ias.iter().filter(|ia| ia.kind == Kind::Address) {
        if !may_keep(exchange, ia)? {
            let words = "another machine uses this DUID and IAID and holds the address";
            exchange.reply.put_status(Status::NotOnLink, words);
            return Ok(());
        }
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
    Ok(())
}

/// Whether the client may keep the address that it holds for an association. If the client has moved, its lease moves
/// along, with unchanged lifetimes.
///
/// # Errors
///
/// When the place that holds the address must be asked first.
fn may_keep(exchange: &mut Exchange<'_>, ia: &Ia<'_>) -> Result<bool, Discard> {
    let held = exchange.held(ia).cloned();
    let Some(held) = held.filter(|held| ia.named().any(|named| named == held.leased)) else {
        return Ok(true);
    };
    match exchange.standing(&held) {
        Standing::Holder => {
            if held.place.is_elsewhere(exchange.place()) {
                exchange.move_here(held);
            }
            Ok(true)
        }
        Standing::NotAsked(holder) => Err(exchange.holder_asked(holder)),
        Standing::Elsewhere(holder) => {
            exchange.elsewhere = Some(Elsewhere::Held(holder));
            Ok(false)
        }
    }
}

/// The address that an association names, had, and does not hold any more; `None` if it holds one.
fn lost(exchange: &Exchange<'_>, ia: &Ia<'_>) -> Option<Leased> {
    let own = exchange.bindings.table(ia.kind);
    let own = own.of_association(exchange.client.as_bytes(), ia.iaid)?;
    let is_lost = !own.is_held(exchange.now) && ia.named().any(|named| named == own.leased);
    is_lost.then_some(own.leased)
}
