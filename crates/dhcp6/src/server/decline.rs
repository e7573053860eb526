//! Decline: the client found that another machine uses its address (RFC 9915, section 18.3.8).
//!
//! The address is assigned to nobody until its quarantine ends. Until then it counts towards the client's limit, so
//! that one client cannot make a pool unusable. Prefixes are not declined.

use dhcproto::v6::Status;

use crate::Change;
use crate::leased::Kind;
use crate::lifetime::{seconds, until};

use super::exchange::Exchange;

pub(super) fn answer(exchange: &mut Exchange<'_>) {
    let quarantined_until = until(exchange.now, seconds(exchange.link.quarantine));
    for ia in exchange.message.ias.iter().filter(|ia| ia.kind == Kind::Address) {
        if exchange.held(ia).is_none() {
            exchange.refuse(ia, Status::NoBinding, "no lease is known for it");
        }
        for binding in exchange.held_by_name(ia) {
            exchange.change(Change::decline(&binding, exchange.now, quarantined_until));
        }
    }
    exchange.reply.put_status(Status::Success, "declined");
}
