//! The checks that a message must pass before it is handled (RFC 9915, section 16).

use std::net::Ipv6Addr;

use dhcproto::v6::OptionCode;

use crate::bindings::Bindings;
use crate::discard::Discard;
use crate::frame::Fault;
use crate::message::Message;
use crate::relay::Way;
use crate::{Duid, Inbound, Link, MessageKind};

/// The largest number of identity associations in a message, of both types together.
const MAX_ASSOCIATIONS: usize = 16;

/// Checks the way of a message. Clients send to the multicast address, from an address of their link or from the one
/// that they register; relay agents from anywhere, for this link. [`check_unicast`] checks messages to the server's own
/// address.
pub(super) fn check_way(kind: MessageKind, way: &Way<'_>, inbound: &Inbound<'_>, link: &Link) -> Result<(), Discard> {
    let source = *inbound.source.ip();
    if way.is_relayed() {
        return check_link(way, source, link);
    }
    let is_global = link.is_on_link(source);
    let may_be_unicast = is_global && names_server(kind);
    if !inbound.multicast && !may_be_unicast {
        return Err(Discard::Unicast(kind));
    }
    if !source.is_unicast_link_local() && !is_global && kind != MessageKind::AddrRegInform {
        return Err(Discard::NotLinkLocal(source));
    }
    Ok(())
}

/// Checks that the message belongs to this link. The innermost relay agent that identifies a link decides, by a link
/// address or by a key of the link. If none does, it is the link of the receiving interface.
fn check_link(way: &Way<'_>, source: Ipv6Addr, link: &Link) -> Result<(), Discard> {
    for agent in way.agents(source) {
        let address = agent.link();
        if address.is_some_and(|address| link.is_on_link(address)) || link.relay_keys.iter().any(|key| key.fits(&agent))
        {
            return Ok(());
        }
        if let Some(address) = address {
            return Err(Discard::OtherLink(address));
        }
    }
    Ok(())
}

/// Checks that a message to the server's own unicast address comes from an address that the client holds.
///
/// The server never offers unicast (RFC 9915 has no Server Unicast option, and section 16 says that servers SHOULD NOT
/// accept it). But busybox's client uses it to release and renew its lease.
pub(super) fn check_unicast(
    message: &Message<'_>,
    way: &Way<'_>,
    inbound: &Inbound<'_>,
    bindings: &Bindings,
    now: i64,
) -> Result<(), Discard> {
    if inbound.multicast || way.is_relayed() {
        return Ok(());
    }
    let held = bindings.by_address(*inbound.source.ip());
    let is_own = held.is_some_and(|own| own.is_held(now) && message.client == Some(own.duid.as_bytes()));
    is_own.then_some(()).ok_or(Discard::Unicast(message.kind))
}

/// Checks that options which the classes of the link read occur once (RFC 9915, section 24).
pub(super) fn check_class_options(message: &Message<'_>, link: &Link) -> Result<(), Discard> {
    let mut classes = link.classes.iter();
    let is_read = classes.any(|class| class.conditions.user_class.is_some());
    if is_read && message.all(OptionCode::UserClass).nth(1).is_some() {
        return Err(Fault::Twice(OptionCode::UserClass.into()).into());
    }
    Ok(())
}

/// Whether a kind of message names the server that it is for.
fn names_server(kind: MessageKind) -> bool {
    use MessageKind::{Decline, Release, Renew, Request};
    matches!(kind, Request | Renew | Release | Decline)
}

/// Checks that client and server identifier are present, absent and right, as the kind of message requires (sections
/// 16.2 to 16.12).
pub(super) fn check_identifiers(message: &Message<'_>, server: &Duid) -> Result<(), Discard> {
    let kind = message.kind;
    if message.client.is_none() && kind != MessageKind::InformationRequest {
        return Err(Discard::NoClient(kind));
    }
    match (kind, message.server) {
        (MessageKind::Solicit | MessageKind::Confirm | MessageKind::Rebind | MessageKind::AddrRegInform, Some(_)) => {
            return Err(Discard::ServerNamed(kind));
        }
        (_, None) if names_server(kind) => return Err(Discard::NoServer(kind)),
        (_, Some(named)) if named != server.as_bytes() => return Err(Discard::OtherServer(kind)),
        _ => {}
    }
    let associations = message.ias.len();
    if kind == MessageKind::InformationRequest && associations > 0 {
        return Err(Discard::LeasesAsked);
    }
    if associations > MAX_ASSOCIATIONS {
        return Err(Discard::TooManyAssociations(associations));
    }
    Ok(())
}
