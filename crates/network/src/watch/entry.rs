//! Notifications of the kernel about the forwarding entries of bridges.

use futures_util::TryStreamExt;
use netlink_packet_route::neighbour::NeighbourMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::Handle;

use super::event::messages;
use crate::NetworkError;
use crate::entry::{is_fixed, mac_of};
use crate::request::answer;

/// A change of a forwarding entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntryEvent {
    /// The port that the entry is of.
    pub(crate) port: u32,
    /// The link-layer address.
    pub(crate) mac: [u8; 6],
    /// Whether the address is fixed at this port now: the entry is there, and neither ages nor moves.
    pub(crate) fixed: bool,
}

/// The changes in a datagram; what cannot be read is passed over.
pub(super) fn entry_events(datagram: &[u8]) -> impl Iterator<Item = EntryEvent> {
    messages(datagram).filter_map(|message| match message {
        RouteNetlinkMessage::NewNeighbour(entry) => event(&entry, is_fixed(&entry)),
        RouteNetlinkMessage::DelNeighbour(entry) => event(&entry, false),
        _ => None,
    })
}

/// All entries that there are.
pub(super) async fn all_entries(netlink: &Handle) -> Result<Vec<EntryEvent>, NetworkError> {
    let request = netlink.neighbours().get().set_address_family(AddressFamily::Bridge);
    let all: Result<Vec<NeighbourMessage>, _> = answer(request.execute().try_collect()).await;
    let all = all.map_err(|failure| failure.doing("listing the forwarding entries of bridges"))?;
    Ok(all.iter().filter_map(|entry| event(entry, is_fixed(entry))).collect())
}

fn event(entry: &NeighbourMessage, fixed: bool) -> Option<EntryEvent> {
    let of_bridge = entry.header.family == AddressFamily::Bridge;
    Some(EntryEvent {
        port: entry.header.ifindex,
        mac: mac_of(entry).filter(|_| of_bridge)?,
        fixed,
    })
}
