//! The policy of a link with many clients, each with its own instance.

use std::net::Ipv6Addr;

use anyhow::Result;
use ipnet::Ipv6Net;
use orchestrator_host::{
    ClientBinding, Endpoint, InstanceBinding, LinkPolicy, NetworkItem, NetworkKey, Pair, PolicyItem, PortRole,
};
use orchestrator_network::link_local;

/// The bridge.
pub(crate) const BRIDGE: &str = "br0";

/// The policy with clients of the first so many numbers.
pub(crate) fn whole(clients: u32) -> Result<Vec<NetworkItem>> {
    let link = PolicyItem::Link(LinkPolicy {
        bridge: BRIDGE.to_owned(),
        prefix: "fd39::/64".parse()?,
        others: PortRole::Client,
        unbound: false,
        clients_together: true,
        ipv4: true,
        enforce: true,
    });
    let all = (0..clients).flat_map(client);
    Ok([NetworkItem::Policy(link)].into_iter().chain(all).collect())
}

/// What one client with its instance has: an address and a link-local one each, and what lets them speak with each other.
pub(crate) fn client(number: u32) -> Vec<NetworkItem> {
    let (mac, address) = (mac(2, number), address(1, number));
    let instance = Endpoint {
        port: format!("or{number:06x}"),
        mac: self::mac(6, number),
        address: self::address(2, number),
    };
    let mut items = Vec::new();
    for own in [address, link_local(mac)] {
        items.push(PolicyItem::Client(ClientBinding {
            bridge: BRIDGE.to_owned(),
            port: None,
            mac,
            prefix: own.into(),
        }));
        items.push(PolicyItem::Pair(Pair {
            client: Some(mac),
            source: Ipv6Net::from(own),
            instance: instance.clone(),
        }));
    }
    for own in [instance.address, link_local(instance.mac)] {
        items.push(PolicyItem::Instance(InstanceBinding {
            bridge: BRIDGE.to_owned(),
            port: instance.port.clone(),
            mac: instance.mac,
            prefix: own.into(),
        }));
    }
    items.into_iter().map(NetworkItem::Policy).collect()
}

/// The keys of these items.
pub(crate) fn keys(items: &[NetworkItem]) -> Vec<NetworkKey> {
    let key = |item: &NetworkItem| match item {
        NetworkItem::Policy(item) => Some(NetworkKey::Policy(item.key())),
        _ => None,
    };
    items.iter().filter_map(key).collect()
}

fn mac(first: u8, number: u32) -> [u8; 6] {
    let [a, b, c, d] = number.to_be_bytes();
    [first, 0, a, b, c, d]
}

fn address(group: u16, number: u32) -> Ipv6Addr {
    let [high, low] = [number >> 16, number & 0xffff].map(|part| u16::try_from(part).unwrap_or_default());
    Ipv6Addr::new(0xfd39, 0, 0, 0, 0, group, high, low)
}
