//! Request: the lease that was offered (RFC 9915, section 18.3.2).

use dhcproto::v6::Status;

use super::exchange::Exchange;
use super::options::put_asked;

pub(super) fn answer(exchange: &mut Exchange<'_>) {
    for ia in &exchange.message.ias {
        if ia.addresses().any(|address| !exchange.link.is_on_link(address)) {
            exchange.reply.put_refusal(
                ia.iaid,
                Status::NotOnLink,
                "an address in it does not belong to this link",
            );
            continue;
        }
        let leased = exchange.lease(ia);
        exchange.put_lease(ia.iaid, leased);
    }
    exchange.refuse_prefixes(Status::NoPrefixAvail, "no prefix is left on this link");
    put_asked(&mut exchange.reply, exchange.link, exchange.message);
}
