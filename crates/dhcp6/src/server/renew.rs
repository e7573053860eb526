//! Renew: extends the lease, or makes a new one if it is not known (RFC 9915, section 18.3.4).
//!
//! So a server that lost its database keeps its clients; the keyed hash gives them the same addresses.

use crate::discard::Discard;

use super::exchange::Exchange;
use super::extend::{Unknown, answer_extension};

pub(super) fn answer(exchange: &mut Exchange<'_>) -> Result<(), Discard> {
    answer_extension(exchange, Unknown::Create)
}
