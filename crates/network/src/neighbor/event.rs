//! Notifications of the kernel's neighbour table.

use std::net::Ipv6Addr;

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};

use super::NeighborChange;

/// The changes of one bridge in a datagram. Messages that cannot be read are skipped.
pub(super) fn changes(datagram: &[u8], bridge: u32) -> impl Iterator<Item = NeighborChange> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).ok()?;
        // Messages begin at multiples of four bytes.
        let length = usize::try_from(message.header.length).ok()?.next_multiple_of(4);
        rest = rest.get(length..).unwrap_or_default();
        Some(message)
    })
    .filter_map(move |message| match message.payload {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNeighbour(neighbour)) => change(&neighbour, bridge),
        _ => None,
    })
}

/// The change that an entry of the table stands for, or `None` when it is of another interface or its neighbour does
/// not answer.
pub(super) fn change(message: &NeighbourMessage, bridge: u32) -> Option<NeighborChange> {
    if message.header.ifindex != bridge {
        return None;
    }
    let attributes = message.attributes.iter();
    let (mut address, mut mac) = (None::<Ipv6Addr>, None::<[u8; 6]>);
    for attribute in attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(found)) => address = Some(*found),
            NeighbourAttribute::LinkLayerAddress(bytes) => mac = bytes.as_slice().try_into().ok(),
            _ => {}
        }
    }
    let (address, mac) = (address?, mac?);
    match message.header.state {
        NeighbourState::Reachable => Some(NeighborChange::Reachable { address, mac }),
        NeighbourState::Stale => Some(NeighborChange::Hinted { address, mac }),
        _ => None,
    }
}

/// Whether an entry is of this address on this bridge.
pub(super) fn is_of(message: &NeighbourMessage, bridge: u32, address: Ipv6Addr) -> bool {
    let destination = NeighbourAttribute::Destination(NeighbourAddress::Inet6(address));
    message.header.ifindex == bridge && message.attributes.contains(&destination)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(state: NeighbourState) -> NeighbourMessage {
        let mut message = NeighbourMessage::default();
        message.header.ifindex = 7;
        message.header.state = state;
        message.attributes = vec![
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(Ipv6Addr::LOCALHOST)),
            NeighbourAttribute::LinkLayerAddress(vec![2, 0, 0, 0, 0, 1]),
        ];
        message
    }

    #[test]
    fn what_answers_is_told_from_what_is_only_known() {
        let address = Ipv6Addr::LOCALHOST;
        let mac = [2, 0, 0, 0, 0, 1];
        for (state, expected) in [
            (
                NeighbourState::Reachable,
                Some(NeighborChange::Reachable { address, mac }),
            ),
            (NeighbourState::Stale, Some(NeighborChange::Hinted { address, mac })),
            (NeighbourState::Probe, None),
            (NeighbourState::Failed, None),
        ] {
            assert_eq!(change(&entry(state), 7), expected, "{state}");
            assert_eq!(change(&entry(state), 8), None);
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_news() {
        assert_eq!(changes(&[0xff; 7], 7).count(), 0);
        assert_eq!(changes(&[0; 64], 7).count(), 0);
    }
}
