//! Fixed entries for attachments, in tables that the kernel otherwise fills by what it receives.
//!
//! - The *forwarding entry* says at which port of its bridge an instance's link-layer address is. It is static and sticky:
//!   no frame from another port moves it, whatever source it claims. It goes with the port.
//! - The *neighbour entry* says at which link-layer address this machine reaches an instance's address. With it the kernel
//!   never asks. A neighbour solicitation from the bridge itself is copied to every port, and a processor queues no more
//!   than `net.core.netdev_max_backlog` frames, 1,000 at first: beyond so many ports, the same instances never get it. The
//!   entry also takes no room of what `gc_thresh3` allows. It stays when the port goes, so that it must be removed.

mod forwarding;
mod held;
mod neighbor;

use futures_util::StreamExt;
use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourMessage};
use nix::errno::Errno;
use rtnetlink::Handle;

pub(crate) use self::forwarding::{has_forwarding, is_fixed, set_forwarding};
pub(crate) use self::held::Held;
use crate::request::{Failure, answer};

/// The one entry that a question is about, if there is one.
async fn find(netlink: &Handle, question: NeighbourMessage) -> Result<Option<NeighbourMessage>, Failure> {
    let mut request = NetlinkMessage::from(RouteNetlinkMessage::GetNeighbour(question));
    request.header.flags = NLM_F_REQUEST | NLM_F_ACK;
    let mut netlink = netlink.clone();
    let exchange = async {
        match netlink.request(request)?.next().await.map(|reply| reply.payload) {
            Some(NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNeighbour(found))) => Ok(Some(found)),
            Some(NetlinkPayload::Error(refusal)) => Err(rtnetlink::Error::NetlinkError(refusal)),
            _ => Ok(None),
        }
    };
    match answer(exchange).await {
        Err(failure) if failure.is(Errno::ENOENT) => Ok(None),
        found => found,
    }
}

/// The link-layer address of an entry.
pub(crate) fn mac_of(entry: &NeighbourMessage) -> Option<[u8; 6]> {
    entry.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(bytes) => bytes.as_slice().try_into().ok(),
        _ => None,
    })
}

/// The part of a link-layer address that both ends of an attachment have in common.
pub(crate) fn tail([_first, rest @ ..]: [u8; 6]) -> [u8; 5] {
    rest
}
