//! Information-request: configuration without leases (RFC 9915, section 18.3.6).

use crate::Link;
use crate::message::Message;
use crate::reply::Reply;

use super::options::put_asked;

pub(super) fn answer(reply: &mut Reply, link: &Link, message: &Message<'_>) {
    put_asked(reply, link, message);
}
