//! Confirm: whether all addresses fit the link; whose they are is not asked (RFC 9915, section 18.3.3).
//!
//! Clients do not confirm prefixes, and none is judged.

use dhcproto::v6::Status;

use crate::discard::Discard;
use crate::message::Message;
use crate::reply::Reply;
use crate::{Leased, Link};

/// # Errors
///
/// Without an address there is nothing to say.
pub(super) fn answer(reply: &mut Reply, link: &Link, message: &Message<'_>) -> Result<(), Discard> {
    let named = message.ias.iter().flat_map(|ia| ia.named());
    let mut addresses = named.filter_map(Leased::address).peekable();
    addresses.peek().ok_or(Discard::NothingToConfirm)?;
    if addresses.all(|address| link.is_on_link(address)) {
        reply.put_status(Status::Success, "all addresses belong to this link");
    } else {
        reply.put_status(Status::NotOnLink, "an address does not belong to this link");
    }
    Ok(())
}
