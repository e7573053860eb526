//! Solicit: offers what a Request would get, or, with rapid commit, grants it (RFC 9915, sections 18.3.1 and 18.3.9).

use crate::discard::Discard;
use crate::{Elsewhere, Place};

use super::exchange::Exchange;
use super::holder::Standing;

pub(super) fn answer(exchange: &mut Exchange<'_>) -> Result<(), Discard> {
    let unclear = unclear(exchange);
    // A lease whose holder was not asked yet is offered, but not granted.
    let rapid = exchange.link.rapid_commit && exchange.message.rapid_commit && unclear.is_none();
    for ia in &exchange.message.ias {
        if unclear.is_none() && !exchange.is_admitted(ia)? {
            continue;
        }
        let leased = if rapid { exchange.lease(ia) } else { exchange.offer(ia) };
        exchange.put_lease(ia, leased);
    }
    exchange.elsewhere = unclear.map(Elsewhere::ToAsk).or(exchange.elsewhere);
    // Without a lease to grant it stays an Advertise, so that the client continues to solicit other servers.
    if exchange.changes.is_empty() {
        if let Some(preference) = exchange.link.preference {
            exchange.reply.put_preference(preference);
        }
    } else {
        exchange.reply.commit_rapidly();
    }
    exchange.put_asked();
    Ok(())
}

/// A place that holds a lease of the message, that the message does not come from, and that must be asked first.
fn unclear(exchange: &Exchange<'_>) -> Option<Place> {
    let held = exchange.message.ias.iter().filter_map(|ia| exchange.held(ia));
    held.map(|held| exchange.standing(held))
        .find_map(|standing| match standing {
            Standing::NotAsked(place) => Some(place),
            Standing::Holder | Standing::Elsewhere(_) => None,
        })
}
