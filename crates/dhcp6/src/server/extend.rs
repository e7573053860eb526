//! The common part of Renew and Rebind.

use dhcproto::v6::Status;

use crate::discard::Discard;
use crate::lifetime::Lifetimes;
use crate::message::Ia;
use crate::{Binding, Leased, Link};

use super::exchange::Exchange;
use super::holder::Standing;

/// The number of ended addresses or prefixes that the answer lists for an identity association.
const MAX_ENDED: usize = 16;

/// The answer to an identity association without a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// A new lease.
    Create,
    /// The status NoBinding.
    Refuse,
}

pub(super) fn answer_extension(exchange: &mut Exchange<'_>, unknown: Unknown) -> Result<(), Discard> {
    for ia in &exchange.message.ias {
        match exchange.held(ia).cloned() {
            Some(held) => match exchange.standing(&held) {
                Standing::Holder => extend(exchange, ia, &held),
                Standing::NotAsked(holder) => return Err(exchange.holder_asked(holder)),
                Standing::Elsewhere(holder) => exchange.refuse_elsewhere(ia, holder, Status::NoBinding),
            },
            None => answer_unknown(exchange, ia, unknown),
        }
    }
    exchange.put_asked();
    Ok(())
}

/// Extends the lease. Everything else in the identity association has ended.
///
/// A lease that is no longer in a pool is replaced by one that is.
fn extend(exchange: &mut Exchange<'_>, ia: &Ia<'_>, held: &Binding) {
    let Some(leased) = exchange.lease(ia) else {
        return leave(exchange, ia, held);
    };
    let mut ended = named_but(ia, leased);
    if held.leased != leased && !ended.contains(&held.leased) {
        ended.push(held.leased);
    }
    exchange.put(ia, exchange.times, Some(leased), ended, None);
}

/// Answers with the remaining lifetimes of a lease that is not extended, so that the client does not renew it again.
fn leave(exchange: &mut Exchange<'_>, ia: &Ia<'_>, held: &Binding) {
    let times = Lifetimes::left(held.preferred_until, held.valid_until, exchange.now);
    exchange.put(ia, times, Some(held.leased), named_but(ia, held.leased), None);
}

/// Answers an identity association without a lease. Its addresses and prefixes that cannot be leased here have ended.
fn answer_unknown(exchange: &mut Exchange<'_>, ia: &Ia<'_>, unknown: Unknown) {
    let leased = if unknown == Unknown::Create {
        exchange.lease(ia)
    } else {
        None
    };
    let has_ended = |named: &Leased| Some(*named) != leased && (leased.is_some() || !is_of_link(exchange.link, *named));
    let ended: Vec<Leased> = ia.named().filter(has_ended).take(MAX_ENDED).collect();
    let status = match (unknown, leased) {
        (_, Some(_)) => None,
        (Unknown::Create, None) => Some(exchange.none_left(ia.kind)),
        (Unknown::Refuse, None) if ended.is_empty() => Some((Status::NoBinding, "no lease is known for it")),
        (Unknown::Refuse, None) => None,
    };
    exchange.put(ia, exchange.times, leased, ended, status);
}

/// The other addresses or prefixes in an identity association, up to the number that the answer lists.
fn named_but(ia: &Ia<'_>, leased: Leased) -> Vec<Leased> {
    ia.named().filter(|named| *named != leased).take(MAX_ENDED).collect()
}

/// Whether an address is on the link, or a prefix among those that are delegated there.
fn is_of_link(link: &Link, leased: Leased) -> bool {
    match leased {
        Leased::Address(address) => link.is_on_link(address),
        Leased::Prefix(prefix) => link.is_delegated(prefix),
    }
}
