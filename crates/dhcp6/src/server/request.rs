//! Request: grants the lease that was offered (RFC 9915, section 18.3.2).

use dhcproto::v6::Status;

use crate::Leased;
use crate::discard::Discard;

use super::exchange::Exchange;

pub(super) fn answer(exchange: &mut Exchange<'_>) -> Result<(), Discard> {
    for ia in &exchange.message.ias {
        // A prefix of another link is only a hint that cannot be followed.
        let mut addresses = ia.named().filter_map(Leased::address);
        if addresses.any(|address| !exchange.link.is_on_link(address)) {
            exchange.refuse(ia, Status::NotOnLink, "an address in it does not belong to this link");
            continue;
        }
        if exchange.is_admitted(ia)? {
            let leased = exchange.lease(ia);
            exchange.put_lease(ia, leased);
        }
    }
    exchange.put_asked();
    Ok(())
}
