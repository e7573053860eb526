//! Release: the client gives addresses back (RFC 9915, section 18.3.7).

use dhcproto::v6::Status;

use crate::Change;

use super::exchange::Exchange;

pub(super) fn answer(exchange: &mut Exchange<'_>) {
    for ia in &exchange.message.ias {
        if exchange.held(ia.iaid).is_none() {
            exchange
                .reply
                .put_refusal(ia.iaid, Status::NoBinding, "no lease is known for it");
        }
        for binding in exchange.held_addresses(ia) {
            exchange.change(Change::release(&binding, exchange.now));
        }
    }
    exchange.refuse_prefixes(Status::NoBinding, "no prefix is known for it");
    exchange.reply.put_status(Status::Success, "released");
}
