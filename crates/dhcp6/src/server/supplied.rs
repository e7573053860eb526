//! Options that relay agents supply for clients (RFC 6422).
//!
//! The client gets such an option if the link lets relay agents supply it, the client asks for it, and the server has
//! none of its own. All other supplied options are dropped.

use crate::Link;
use crate::message::Message;
use crate::options::OptionSet;
use crate::relay::Way;
use crate::reply::Reply;

/// Adds the options that relay agents supply.
pub(super) fn put_supplied(reply: &mut Reply, link: &Link, own: &OptionSet, message: &Message<'_>, way: &Way<'_>) {
    let wanted = link.relay_options.iter().copied();
    for code in wanted.filter(|code| message.asks_for(*code) && !own.contains(*code)) {
        // An option that is added last comes first.
        for body in way.supplied(code).into_iter().rev() {
            reply.put_bytes(code.into(), body.to_vec());
        }
    }
}
