//! Solicit: offers what a Request would get, or, with rapid commit, grants it (RFC 9915, sections 18.3.1 and 18.3.9).

use super::exchange::Exchange;

pub(super) fn answer(exchange: &mut Exchange<'_>) {
    let rapid = exchange.link.rapid_commit && exchange.message.rapid_commit;
    for ia in &exchange.message.ias {
        let leased = if rapid { exchange.lease(ia) } else { exchange.offer(ia) };
        exchange.put_lease(ia, leased);
    }
    // Without a lease to grant it stays an Advertise, so that the client continues to solicit other servers.
    if exchange.changes.is_empty() {
        if let Some(preference) = exchange.link.preference {
            exchange.reply.put_preference(preference);
        }
    } else {
        exchange.reply.commit_rapidly();
    }
    exchange.put_asked();
}
