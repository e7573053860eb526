//! Rebind: extends the lease. A new lease is made only with rapid commit, which means that no other server could have
//! made one, too (RFC 9915, section 18.3.5).

use crate::discard::Discard;

use super::exchange::Exchange;
use super::extend::{Unknown, answer_extension};

pub(super) fn answer(exchange: &mut Exchange<'_>) -> Result<(), Discard> {
    let unknown = if exchange.link.rapid_commit {
        Unknown::Create
    } else {
        Unknown::Refuse
    };
    answer_extension(exchange, unknown)
}
