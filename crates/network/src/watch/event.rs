//! Notifications of the kernel about interfaces.

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::link::Link;
use crate::port::PortSettings;

/// A notification of the kernel about an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// It is new, or something about it changed.
    Seen(Link),
    /// It is gone from this namespace.
    Gone(Link),
    /// A bridge's word about one of its ports: its settings.
    Port {
        /// Number of the port.
        index: u32,
        /// Its settings.
        settings: PortSettings,
    },
}

/// The events in a datagram; what cannot be read is passed over.
pub(crate) fn events(datagram: &[u8]) -> impl Iterator<Item = Event> {
    messages(datagram).filter_map(|message| match message {
        RouteNetlinkMessage::NewLink(link) if is_of_link(&link) => Some(Event::Seen(link.into())),
        RouteNetlinkMessage::DelLink(link) if is_of_link(&link) => Some(Event::Gone(link.into())),
        RouteNetlinkMessage::NewLink(link) if link.header.interface_family == AddressFamily::Bridge => {
            let Link { index, port, .. } = link.into();
            Some(Event::Port { index, settings: port })
        }
        _ => None,
    })
}

/// The messages in a datagram; what cannot be read is passed over.
pub(crate) fn messages(datagram: &[u8]) -> impl Iterator<Item = RouteNetlinkMessage> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).ok()?;
        // Messages begin at multiples of four bytes.
        let length = usize::try_from(message.header.length).ok()?.next_multiple_of(4);
        rest = rest.get(length..).unwrap_or_default();
        Some(message)
    })
    .filter_map(|message| match message.payload {
        NetlinkPayload::InnerMessage(message) => Some(message),
        _ => None,
    })
}

/// Whether a message is about a link itself.
///
/// Bridges send others about their ports, in which a port that leaves its bridge looks like a link that is gone.
fn is_of_link(message: &LinkMessage) -> bool {
    message.header.interface_family == AddressFamily::Unspec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_no_event() {
        assert_eq!(events(&[]).count(), 0);
        assert_eq!(events(&[0xff; 7]).count(), 0);
        assert_eq!(events(&[0; 64]).count(), 0);
    }
}
