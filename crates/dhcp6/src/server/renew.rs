//! Renew: the lease is extended, or made anew where it is not known (RFC 9915, section 18.3.4).
//!
//! A server that lost its database thus keeps its clients, and by the keyed hash at their addresses.

use super::exchange::Exchange;
use super::extend::{Unknown, answer_extension};

pub(super) fn answer(exchange: &mut Exchange<'_>) {
    answer_extension(exchange, Unknown::Create);
}
