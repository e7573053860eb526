//! The entry of an instance's link-layer address in the forwarding database of its bridge.

use netlink_packet_route::AddressFamily;
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState};
use rtnetlink::Handle;

use super::find;
use crate::NetworkError;
use crate::request::answer;

/// Fixes a link-layer address at a port, in place of whatever entry there is. On a bridge with VLANs it is one in each VLAN
/// of the port.
pub(crate) async fn set_forwarding(netlink: &Handle, port: u32, mac: [u8; 6], name: &str) -> Result<(), NetworkError> {
    let request = netlink
        .neighbours()
        .add_bridge(port, &mac)
        .state(NeighbourState::Noarp)
        .flags(NeighbourFlags::Controller | NeighbourFlags::Sticky)
        .replace();
    let set = answer(request.execute()).await;
    set.map_err(|failure| failure.doing(format!("fixing the link-layer address of the instance at port {name}")))
}

/// Whether a link-layer address is fixed at this port.
pub(crate) async fn has_forwarding(
    netlink: &Handle,
    port: u32,
    mac: [u8; 6],
    name: &str,
) -> Result<bool, NetworkError> {
    let mut question = NeighbourMessage::default();
    question.header.family = AddressFamily::Bridge;
    question.header.ifindex = port;
    question.header.flags = NeighbourFlags::Controller;
    question
        .attributes
        .push(NeighbourAttribute::LinkLayerAddress(mac.to_vec()));
    let found = find(netlink, question).await;
    let found = found.map_err(|failure| failure.doing(format!("reading the forwarding entry at port {name}")))?;
    Ok(found.is_some_and(|entry| is_fixed(&entry) && entry.header.ifindex == port))
}

/// Whether an entry neither ages nor moves.
pub(crate) fn is_fixed(entry: &NeighbourMessage) -> bool {
    entry.header.state == NeighbourState::Noarp && entry.header.flags.contains(NeighbourFlags::Sticky)
}
