//! What Renew and Rebind have in common.

use std::net::Ipv6Addr;

use dhcproto::v6::Status;

use crate::Binding;
use crate::lifetime::Lifetimes;
use crate::message::Ia;
use crate::reply::Association;

use super::exchange::Exchange;
use super::options::put_asked;

/// How many addresses in an identity association are told that they have ended.
const MAX_ENDED: usize = 16;

/// What an identity association without a lease gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// A new lease.
    Create,
    /// The status NoBinding.
    Refuse,
}

pub(super) fn answer_extension(exchange: &mut Exchange<'_>, unknown: Unknown) {
    for ia in &exchange.message.ias {
        match exchange.held(ia.iaid).cloned() {
            Some(held) => extend(exchange, ia, &held),
            None => answer_unknown(exchange, ia, unknown),
        }
    }
    exchange.refuse_prefixes(Status::NoBinding, "no prefix is known for it");
    put_asked(&mut exchange.reply, exchange.link, exchange.message);
}

/// Extends the lease; all other addresses that the client believes to have with it have ended.
///
/// An address that is not in the pool any more is exchanged for one that is.
fn extend(exchange: &mut Exchange<'_>, ia: &Ia<'_>, held: &Binding) {
    let Some(leased) = exchange.lease(ia) else {
        return leave(exchange, ia, held);
    };
    let mut ended: Vec<Ipv6Addr> = ia
        .addresses()
        .filter(|address| *address != leased)
        .take(MAX_ENDED)
        .collect();
    if held.address != leased && !ended.contains(&held.address) {
        ended.push(held.address);
    }
    let association = Association {
        iaid: ia.iaid,
        times: exchange.times,
        leased: Some(leased),
        ended: &ended,
        status: None,
    };
    exchange.reply.put_association(&association);
}

/// Tells what is left of a lease that is not extended, and that asking again is in vain.
fn leave(exchange: &mut Exchange<'_>, ia: &Ia<'_>, held: &Binding) {
    let times = Lifetimes::left(held.preferred_until, held.valid_until, exchange.now);
    let ended: Vec<Ipv6Addr> = ia
        .addresses()
        .filter(|address| *address != held.address)
        .take(MAX_ENDED)
        .collect();
    let association = Association {
        iaid: ia.iaid,
        times,
        leased: Some(held.address),
        ended: &ended,
        status: None,
    };
    exchange.reply.put_association(&association);
}

/// Answers for an identity association that holds nothing; off-link addresses in it have ended.
fn answer_unknown(exchange: &mut Exchange<'_>, ia: &Ia<'_>, unknown: Unknown) {
    let leased = if unknown == Unknown::Create {
        exchange.lease(ia)
    } else {
        None
    };
    let has_ended =
        |address: &Ipv6Addr| Some(*address) != leased && (leased.is_some() || !exchange.link.is_on_link(*address));
    let ended: Vec<Ipv6Addr> = ia.addresses().filter(has_ended).take(MAX_ENDED).collect();
    let status = match (unknown, leased) {
        (_, Some(_)) => None,
        (Unknown::Create, None) => Some((Status::NoAddrsAvail, "no address is left on this link")),
        (Unknown::Refuse, None) if ended.is_empty() => Some((Status::NoBinding, "no lease is known for it")),
        (Unknown::Refuse, None) => None,
    };
    exchange.reply.put_association(&Association {
        iaid: ia.iaid,
        times: exchange.times,
        leased,
        ended: &ended,
        status,
    });
}
