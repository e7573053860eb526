//! The host end of an attachment: creates and marks the veth pair, and checks one that exists.

use futures_util::StreamExt;
use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoPortData, InfoPortKind, InfoVeth, LinkAttribute,
    LinkMessage,
};
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};
use nix::errno::Errno;
use rtnetlink::{Handle, LinkMessageBuilder, LinkUnspec, LinkVeth};

use super::AttachmentPlan;
use crate::link::{LINK_GROUP, Link};
use crate::namespace::Namespace;
use crate::port::PortSettings;
use crate::request::answer;
use crate::{Bridge, NetworkError};

/// The result of creating a veth pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pair {
    /// It is new.
    New,
    /// One of the two names is taken; nothing was changed.
    Taken,
}

/// Makes the pair: the host end as a port of the bridge, still down, and the inside end in its namespace.
pub(crate) async fn create_pair(
    netlink: &Handle,
    plan: &AttachmentPlan,
    bridge: &Bridge,
    netns: &Namespace,
) -> Result<Pair, NetworkError> {
    let message = pair_message(plan, bridge, netns);
    match answer(netlink.link().add(message).execute()).await {
        Ok(()) => Ok(Pair::New),
        Err(failure) if failure.is(Errno::EEXIST) => Ok(Pair::Taken),
        Err(failure) if failure.is(Errno::EXFULL) => Err(NetworkError::BridgeFull {
            bridge: plan.bridge.clone(),
        }),
        Err(failure) => Err(failure.doing(format!("making interface {}", plan.host_interface))),
    }
}

/// The message that makes the pair.
///
/// Both ends have the bridge's MTU from the start: a smaller one would shrink the bridge, a larger one lose packets.
fn pair_message(plan: &AttachmentPlan, bridge: &Bridge, netns: &Namespace) -> LinkMessage {
    let inside = LinkMessageBuilder::<LinkUnspec>::new()
        .name(plan.interface.clone())
        .address(plan.mac.to_vec())
        .mtu(bridge.mtu)
        .setns_by_fd(netns.descriptor());
    LinkMessageBuilder::<LinkVeth>::new(&plan.host_interface, &plan.interface)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(inside.build())))
        .address(plan.host_mac().to_vec())
        .mtu(bridge.mtu)
        .link_group(LINK_GROUP)
        .controller(bridge.index)
        .build()
}

/// Marks the host end, gives it the settings of its port, and brings it up.
///
/// Returns `false` if there is none of this name any more.
pub(crate) async fn mark_host_end(netlink: &Handle, plan: &AttachmentPlan) -> Result<bool, NetworkError> {
    match answer(netlink.link().change(mark_message(plan)).execute()).await {
        Ok(()) => Ok(true),
        Err(failure) if failure.is(Errno::ENODEV) => Ok(false),
        Err(failure) => Err(failure.doing(format!("setting up interface {}", plan.host_interface))),
    }
}

/// The message that marks the host end.
///
/// The kernel makes a port's settings before it brings it up, and has no carrier until the inside end is up: neither
/// a packet nor a link-local address gets ahead of these settings.
fn mark_message(plan: &AttachmentPlan) -> LinkMessage {
    // Each address of a host end would have all ports of the bridge flooded with its multicast at every start.
    let no_address = AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)]);
    LinkMessageBuilder::<LinkUnspec>::new()
        .name(plan.host_interface.clone())
        .alias(plan.alias.clone())
        .link_group(LINK_GROUP)
        .set_port_kind(InfoPortKind::Bridge)
        .set_port_data(InfoPortData::BridgePort(
            PortSettings::of_instance(plan.isolated).attributes(),
        ))
        .append_extra_attribute(LinkAttribute::AfSpecUnspec(vec![no_address]))
        .up()
        .build()
}

/// Whether a found host end is this attachment's, marked already or about to be.
pub(crate) fn is_this(host: &Link, plan: &AttachmentPlan) -> bool {
    host.alias == plan.alias || (host.alias.is_empty() && host.is_ours())
}

/// Whether a host end leads from the right bridge into the right namespace.
pub(crate) fn leads_there(host: &Link, bridge: &Bridge, namespace: Option<i32>) -> bool {
    host.is_kind("veth")
        && host.controller == Some(bridge.index)
        && host.peer.is_some()
        && host.peer_namespace.is_some()
        && host.peer_namespace == namespace
}

/// The number by which the daemon's namespace knows another one; `None` if it has no link to it.
pub(crate) async fn namespace_number(netlink: &Handle, netns: &Namespace) -> Result<Option<i32>, NetworkError> {
    let doing = || format!("looking up namespace {}", netns.path().display());
    let mut question = NsidMessage::default();
    question
        .attributes
        .push(NsidAttribute::Fd(netns.descriptor().unsigned_abs()));
    let mut request = NetlinkMessage::from(RouteNetlinkMessage::GetNsId(question));
    request.header.flags = NLM_F_REQUEST | NLM_F_ACK;

    let mut netlink = netlink.clone();
    let exchange = async {
        let reply = netlink.request(request)?.next().await;
        Ok(reply.map(|reply| reply.payload))
    };
    match answer(exchange).await.map_err(|failure| failure.doing(doing()))? {
        Some(NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNsId(known))) => {
            Ok(known.attributes.iter().find_map(number_of))
        }
        Some(NetlinkPayload::Error(refusal)) => Err(NetworkError::Refused {
            doing: doing(),
            source: refusal.to_io(),
        }),
        _ => Ok(None),
    }
}

/// The number in an attribute; the kernel says -1 for none.
fn number_of(attribute: &NsidAttribute) -> Option<i32> {
    match attribute {
        NsidAttribute::Id(number) if *number >= 0 => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bridge() -> Bridge {
        Bridge {
            name: "br0".into(),
            index: 2,
            up: true,
            mac: None,
            mtu: 1500,
            ours: true,
        }
    }

    fn host() -> Link {
        Link {
            kind: Some("veth".into()),
            controller: Some(2),
            peer: Some(7),
            peer_namespace: Some(3),
            ..Link::default()
        }
    }

    #[test]
    fn right_bridge_and_namespace() {
        assert!(leads_there(&host(), &bridge(), Some(3)));
    }

    #[test]
    fn anything_else_is_wrong() {
        let other_bridge = Link {
            controller: Some(4),
            ..host()
        };
        let no_bridge = Link {
            controller: None,
            ..host()
        };
        let other_kind = Link {
            kind: Some("dummy".into()),
            ..host()
        };
        let same_namespace = Link {
            peer_namespace: None,
            ..host()
        };
        for wrong in [other_bridge, no_bridge, other_kind] {
            assert!(!leads_there(&wrong, &bridge(), Some(3)), "{wrong:?}");
        }
        assert!(!leads_there(&host(), &bridge(), Some(4)));
        assert!(!leads_there(&host(), &bridge(), None));
        assert!(!leads_there(&same_namespace, &bridge(), None));
    }
}
