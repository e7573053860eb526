//! Configuration that any answer may carry: only what the client asked for (RFC 9915, section 21.7).

use dhcproto::v6::OptionCode;

use crate::message::Message;
use crate::options::OptionSet;
use crate::relay::Way;
use crate::reply::Reply;
use crate::{Link, MessageKind};

use super::register;
use super::supplied::put_supplied;

/// Adds the options that the client asked for, from the link, the class, or else a relay agent.
pub(super) fn put_asked(reply: &mut Reply, link: &Link, options: &OptionSet, message: &Message<'_>, way: &Way<'_>) {
    for (code, bodies) in options.iter() {
        if message.asks_for(code) && is_for(code, message.kind) {
            reply.put_all(code.into(), bodies);
        }
    }
    put_supplied(reply, link, options, message, way);
    if link.registration.is_some() && message.asks_for(register::ENABLE) {
        reply.put_bytes(register::ENABLE, Vec::new());
    }
    if options.has_vendors() {
        put_vendor_options(reply, options, message);
    }
    put_name(reply, options, message);
}

/// Whether an option may be in the answer to a kind of message: the refresh time is for clients without leases
/// (section 21.23).
fn is_for(code: u16, kind: MessageKind) -> bool {
    code != u16::from(OptionCode::InformationRefreshTime) || kind == MessageKind::InformationRequest
}

/// Vendor options go to clients that name the vendor, and to those that ask for any and name none.
fn put_vendor_options(reply: &mut Reply, options: &OptionSet, message: &Message<'_>) {
    let asks = message.asks_for(OptionCode::VendorOpts);
    let names_none = message.enterprises().next().is_none();
    let is_wanted = |vendor| match names_none {
        true => asks,
        false => message.enterprises().any(|named| named == vendor),
    };
    // An option that is added last comes first.
    for body in options.vendor_bodies(is_wanted).rev() {
        reply.put_bytes(OptionCode::VendorOpts, body);
    }
}

/// Adds the client's name, if the client sends one and asks for the answer (RFC 4704, section 6).
fn put_name(reply: &mut Reply, options: &OptionSet, message: &Message<'_>) {
    let leases = message.kind != MessageKind::InformationRequest;
    let name = message
        .name
        .filter(|_| leases && message.asks_for(OptionCode::ClientFqdn));
    if let Some(body) = name.and_then(|name| name.answer(options.domain())) {
        reply.put_bytes(OptionCode::ClientFqdn, body);
    }
}
