//! Information-request: configuration without leases (RFC 9915, section 18.3.6).

use crate::message::Message;
use crate::relay::Way;
use crate::reply::Reply;
use crate::{Link, OptionSet};

use super::options::put_asked;

pub(super) fn answer(reply: &mut Reply, link: &Link, options: &OptionSet, message: &Message<'_>, way: &Way<'_>) {
    put_asked(reply, link, options, message, way);
}
