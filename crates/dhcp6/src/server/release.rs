//! Release: the client releases addresses and prefixes (RFC 9915, section 18.3.7).

use dhcproto::v6::Status;

use crate::Change;
use crate::discard::Discard;

use super::exchange::Exchange;

pub(super) fn answer(exchange: &mut Exchange<'_>) -> Result<(), Discard> {
    for ia in &exchange.message.ias {
        if exchange.held(ia).is_none() {
            exchange.refuse(ia, Status::NoBinding, "no lease is known for it");
        }
        for binding in exchange.held_by_name(ia) {
            exchange.check_holder(&binding)?;
            exchange.change(Change::release(&binding, exchange.now));
        }
    }
    exchange.reply.put_status(Status::Success, "released");
    Ok(())
}
