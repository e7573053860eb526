//! Which messages are looked at at all (RFC 9915, section 16).

use crate::discard::Discard;
use crate::message::Message;
use crate::relay::Way;
use crate::{Duid, Inbound, Link, MessageKind};

/// Most identity associations in a message, of both types together.
const MAX_ASSOCIATIONS: usize = 16;

/// Clients send to the multicast address only, from a link-local address or the one that they register; relays from
/// anywhere, for this link.
pub(super) fn check_way(kind: MessageKind, way: &Way<'_>, inbound: &Inbound<'_>, link: &Link) -> Result<(), Discard> {
    if let Some(address) = way.link_address().filter(|address| !link.is_on_link(*address)) {
        return Err(Discard::OtherLink(address));
    }
    if way.is_relayed() {
        return Ok(());
    }
    if !inbound.multicast {
        return Err(Discard::Unicast(kind));
    }
    if !inbound.source.ip().is_unicast_link_local() && kind != MessageKind::AddrRegInform {
        return Err(Discard::NotLinkLocal(*inbound.source.ip()));
    }
    Ok(())
}

/// Client and server identifier are there, absent and right as the kind of message wants (sections 16.2 to 16.12).
pub(super) fn check_identifiers(message: &Message<'_>, server: &Duid) -> Result<(), Discard> {
    let kind = message.kind;
    if message.client.is_none() && kind != MessageKind::InformationRequest {
        return Err(Discard::NoClient(kind));
    }
    match (kind, message.server) {
        (MessageKind::Solicit | MessageKind::Confirm | MessageKind::Rebind | MessageKind::AddrRegInform, Some(_)) => {
            return Err(Discard::ServerNamed(kind));
        }
        (MessageKind::Request | MessageKind::Renew | MessageKind::Release | MessageKind::Decline, None) => {
            return Err(Discard::NoServer(kind));
        }
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
