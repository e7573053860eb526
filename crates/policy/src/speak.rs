//! Who may speak with an instance.

use ipnet::Ipv6Net;
use orchestrator_host::{Pair, PolicyItem, Protocol, Traffic};

use crate::client::Held;
use crate::instance::Attached;
use crate::ports::traffic;
use crate::{Entry, Why};

/// All ports of one protocol.
const fn all(protocol: Protocol) -> Traffic {
    Traffic {
        protocol,
        first: 1,
        last: u16::MAX,
    }
}

/// A client and its own instance: by what the client holds, and on the instance's link by the link-local address that it
/// asked from.
pub(crate) fn pairs(held: &Held<'_>, attached: &Attached<'_>) -> Vec<Entry> {
    let Some(instance) = attached.endpoint() else {
        return Vec::new();
    };
    let client = held.mac.filter(|_| held.link.name == attached.link.name);
    let link_local = client.and_then(|_| held.asked_from()).map(Ipv6Net::from);
    let pair = |source| {
        let item = PolicyItem::Pair(Pair {
            client,
            source,
            instance: instance.clone(),
        });
        let why = Why::Own {
            id: attached.instance.id,
            slot: attached.instance.slot.clone(),
        };
        attached.entry(item, why)
    };
    std::iter::once(held.prefix).chain(link_local).map(pair).collect()
}

/// What the template opens to everybody on the link.
pub(crate) fn open(attached: &Attached<'_>) -> Vec<Entry> {
    let Some(endpoint) = attached.endpoint() else {
        return Vec::new();
    };
    let open = attached.instance.spec.access.open.iter().map(|ports| {
        let item = PolicyItem::Open {
            to: endpoint.clone(),
            traffic: traffic(ports),
        };
        attached.entry(item, attached.template("open"))
    });
    open.collect()
}

/// What one instance may connect to of another one of the same owner.
pub(crate) fn peers(from: &Attached<'_>, to: &Attached<'_>) -> Vec<Entry> {
    let (Some(one), Some(other)) = (from.endpoint(), to.endpoint()) else {
        return Vec::new();
    };
    let named = from.instance.spec.access.peers.iter();
    let named = named.filter(|peer| peer.slot == to.instance.slot.as_str());
    let traffic = named.flat_map(|peer| match &peer.ports {
        Some(ports) => vec![traffic(ports)],
        None => vec![all(Protocol::Tcp), all(Protocol::Udp)],
    });
    let entry = |traffic| {
        let item = PolicyItem::Peer {
            from: one.clone(),
            to: other.clone(),
            traffic,
        };
        from.entry(item, from.template("peers"))
    };
    traffic.map(entry).collect()
}
