//! Decline: the client found that another machine uses its address (RFC 9915, section 18.3.8).
//!
//! The address is assigned to nobody until its quarantine ends. It does not count towards the client's limit of leases,
//! because the client cannot use it. So that one client cannot make a pool unusable, only so many addresses of a client
//! are in quarantine at a time as it may have; one more ends the oldest quarantine. Prefixes are not declined.

use dhcproto::v6::Status;

use crate::discard::Discard;
use crate::leased::{Kind, Leased};
use crate::lifetime::{seconds, until};
use crate::{BindingState, Change};

use super::exchange::Exchange;

pub(super) fn answer(exchange: &mut Exchange<'_>) -> Result<(), Discard> {
    let quarantined_until = until(exchange.now, seconds(exchange.link.quarantine));
    for ia in exchange.message.ias.iter().filter(|ia| ia.kind == Kind::Address) {
        if exchange.held(ia).is_none() {
            exchange.refuse(ia, Status::NoBinding, "no lease is known for it");
        }
        for binding in exchange.held_by_name(ia) {
            exchange.check_holder(&binding)?;
            exchange.change(Change::decline(&binding, exchange.now, quarantined_until));
        }
    }
    end_oldest_quarantines(exchange);
    exchange.reply.put_status(Status::Success, "declined");
    Ok(())
}

/// Ends the client's oldest quarantines beyond the number that it may have.
fn end_oldest_quarantines(exchange: &mut Exchange<'_>) {
    let chain = exchange.bindings.table(Kind::Address).chain(exchange.client.as_bytes());
    let is_quarantined = |own: &&_| is_quarantined(own, exchange.now);
    let mut known: Vec<(i64, Leased)> = chain
        .filter(is_quarantined)
        .map(|own| (own.valid_until, own.leased))
        .collect();
    let most = exchange.link.limits.bindings_per_client;
    let excess = (known.len() + exchange.changes.len()).saturating_sub(most);
    known.sort_unstable();
    for (_, leased) in known.into_iter().take(excess) {
        if let Some(binding) = exchange.bindings.at(leased) {
            exchange.change(Change::lift(binding, exchange.now));
        }
    }
}

fn is_quarantined(binding: &crate::Binding, now: i64) -> bool {
    binding.state == BindingState::Declined && binding.is_taken(now)
}
