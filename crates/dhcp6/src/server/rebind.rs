//! Rebind: the lease is extended; a new one is made only where rapid commit says that there is no other server whose
//! lease it would double (RFC 9915, section 18.3.5).

use super::exchange::Exchange;
use super::extend::{Unknown, answer_extension};

pub(super) fn answer(exchange: &mut Exchange<'_>) {
    let unknown = if exchange.link.rapid_commit {
        Unknown::Create
    } else {
        Unknown::Refuse
    };
    answer_extension(exchange, unknown);
}
