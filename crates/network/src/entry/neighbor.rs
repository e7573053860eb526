//! The entry of an instance's address in the neighbour table of this machine.

use std::net::{IpAddr, Ipv6Addr};

use futures_util::TryStreamExt;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::RouteProtocol;
use nix::errno::Errno;
use rtnetlink::Handle;

use super::{find, mac_of};
use crate::request::answer;
use crate::{NetworkError, ROUTE_PROTOCOL};

/// The mark of our entries (`proto` in iproute2).
const MARK: NeighbourAttribute = NeighbourAttribute::Protocol(RouteProtocol::Other(ROUTE_PROTOCOL));

/// An address on a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Neighbor {
    /// Index of the bridge.
    pub(super) bridge: u32,
    /// The address.
    pub(super) address: Ipv6Addr,
}

/// Sets an entry that stays, in place of what the kernel learned. Returns `false` where the bridge takes no part in IPv6, or
/// is gone.
pub(super) async fn set(netlink: &Handle, at: Neighbor, mac: [u8; 6]) -> Result<bool, NetworkError> {
    let mut request = netlink
        .neighbours()
        .add(at.bridge, IpAddr::V6(at.address))
        .state(NeighbourState::Permanent)
        .link_layer_address(&mac)
        .replace();
    request.message_mut().attributes.push(MARK);
    match answer(request.execute()).await {
        Ok(()) => Ok(true),
        Err(failure) if failure.is(Errno::EINVAL) || failure.is(Errno::ENODEV) => Ok(false),
        Err(failure) => Err(failure.doing(format!("setting the neighbour entry of {}", at.address))),
    }
}

/// Whether there is such an entry.
pub(super) async fn is_set(netlink: &Handle, at: Neighbor, mac: [u8; 6]) -> Result<bool, NetworkError> {
    let found = find(netlink, message(at)).await;
    let found = found.map_err(|failure| failure.doing(format!("reading the neighbour entry of {}", at.address)))?;
    Ok(found.is_some_and(|entry| entry.header.state == NeighbourState::Permanent && mac_of(&entry) == Some(mac)))
}

/// Removes an entry; one that is gone is a success.
pub(super) async fn remove(netlink: &Handle, at: Neighbor) -> Result<(), NetworkError> {
    match answer(netlink.neighbours().del(message(at)).execute()).await {
        Err(failure) if !failure.is(Errno::ENOENT) && !failure.is(Errno::ENODEV) && !failure.is(Errno::EINVAL) => {
            Err(failure.doing(format!("removing the neighbour entry of {}", at.address)))
        }
        _ => Ok(()),
    }
}

/// All entries with our mark.
pub(super) async fn list(netlink: &Handle) -> Result<Vec<(Neighbor, [u8; 6])>, NetworkError> {
    let request = netlink.neighbours().get().set_address_family(AddressFamily::Inet6);
    let all: Result<Vec<NeighbourMessage>, _> = answer(request.execute().try_collect()).await;
    let all = all.map_err(|failure| failure.doing("listing neighbours"))?;
    let ours = all.iter().filter(|entry| entry.attributes.contains(&MARK));
    Ok(ours
        .filter_map(|entry| {
            let bridge = entry.header.ifindex;
            let address = entry.attributes.iter().find_map(|attribute| match attribute {
                NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => Some(*address),
                _ => None,
            })?;
            Some((Neighbor { bridge, address }, mac_of(entry)?))
        })
        .collect())
}

fn message(at: Neighbor) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Inet6;
    message.header.ifindex = at.bridge;
    let destination = NeighbourAttribute::Destination(NeighbourAddress::Inet6(at.address));
    message.attributes.push(destination);
    message
}
