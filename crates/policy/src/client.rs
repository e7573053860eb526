//! The addresses that a client may speak from.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_host::{ClientBinding, PolicyItem};
use orchestrator_model::{Lease, LinkLayerAddress, Timestamp};

use crate::holder::{prefix_of, seniority};
use crate::{Entry, Holder, LinkFacts, OwnerFacts, Why};

/// An address or prefix that a client holds, and the place that it holds it at.
pub(crate) struct Held<'f> {
    pub(crate) link: &'f LinkFacts,
    /// The link-layer address that its packets are bound to; `None` if nothing is bound.
    pub(crate) mac: Option<[u8; 6]>,
    pub(crate) prefix: Ipv6Net,
    link_local: Option<Ipv6Addr>,
    port: Option<String>,
    pub(crate) lease: &'f Lease,
    /// The machine that holds it.
    pub(crate) holder: Holder,
}

impl Held<'_> {
    /// The link-local address that it was asked from, if that may be a client's.
    pub(crate) fn asked_from(&self) -> Option<Ipv6Addr> {
        self.link_local.filter(|address| may_ask(*address, self.link))
    }
}

/// A lease as one that is held.
pub(crate) fn held<'f>(facts: &OwnerFacts, lease: &'f Lease, link: &'f LinkFacts) -> Held<'f> {
    let place = &lease.granted_to;
    let is_relayed = place.relay.is_some();
    let mac = match is_relayed {
        false => place
            .link_layer
            .as_ref()
            .or(facts.link_layer.as_ref())
            .and_then(six_bytes),
        true => relayed(lease, link),
    };
    Held {
        link,
        mac: mac.filter(|mac| may_be_bound(*mac, link)),
        prefix: prefix_of(lease),
        link_local: place.link_local,
        port: place.port.clone().filter(|_| is_relayed || link.isolation.bind_ports),
        lease,
        holder: Holder::of(lease, facts.link_layer.as_ref()),
    }
}

/// The link-layer address of a relayed client: as its relay agent supplied it (RFC 6939), else as its link-local address
/// was formed from it, else as it is in its DUID. All of this is of this lease alone, so that another machine under the
/// same DUID changes nothing.
///
/// `None` unless the lease came by a port that the operator trusts to relay.
fn relayed(lease: &Lease, link: &LinkFacts) -> Option<[u8; 6]> {
    let place = &lease.granted_to;
    if !link.relays_at(place.port.as_deref()?) {
        return None;
    }
    let supplied = place.link_layer.as_ref().and_then(six_bytes);
    let formed = || place.link_local.and_then(formed_from);
    let claimed = || lease.duid.link_layer().as_ref().and_then(six_bytes);
    supplied.or_else(formed).or_else(claimed)
}

/// Which of the leases may speak with an instance on a link: those of the machine that has it.
pub(crate) fn of_holder<'h, 'f>(held: &'h [Held<'f>], link: &str) -> Vec<&'h Held<'f>> {
    let oldest = held.iter().min_by_key(|held| seniority(held.lease, link));
    let Some(holder) = oldest.map(|oldest| &oldest.holder) else {
        return Vec::new();
    };
    held.iter().filter(|held| held.holder == *holder).collect()
}

/// The bindings of what is held: the address or prefix, and the link-local address that it was asked from.
pub(crate) fn bindings(held: &Held<'_>) -> Vec<Entry> {
    let Some(mac) = held.mac else {
        return Vec::new();
    };
    let bind = |prefix: Ipv6Net, why: Why, since: Timestamp| Entry {
        item: PolicyItem::Client(ClientBinding {
            bridge: held.link.name.clone(),
            port: held.port.clone(),
            mac,
            prefix,
        }),
        why,
        since,
    };
    let lease = Why::Lease {
        prefix: held.prefix,
        source: held.lease.source,
    };
    let since = held.lease.granted;
    let link_local = held.asked_from().map(|address| bind(address.into(), Why::Asked, since));
    std::iter::once(bind(held.prefix, lease, since))
        .chain(link_local)
        .collect()
}

fn six_bytes(address: &LinkLayerAddress) -> Option<[u8; 6]> {
    address.as_bytes().try_into().ok()
}

/// Whether a client may have this link-layer address: one of a group, or of an instance, is no client's.
fn may_be_bound(mac: [u8; 6], link: &LinkFacts) -> bool {
    mac != [0; 6] && mac[0] & 1 == 0 && !link.is_of_instances(mac)
}

/// Whether a client may have this link-local address: one that follows from an instance's link-layer address is no
/// client's.
fn may_ask(address: Ipv6Addr, link: &LinkFacts) -> bool {
    address.is_unicast_link_local() && !formed_from(address).is_some_and(|mac| link.is_of_instances(mac))
}

/// The link-layer address that a link-local address was formed from (RFC 4291, appendix A), if it was.
fn formed_from(address: Ipv6Addr) -> Option<[u8; 6]> {
    let [.., a, b, c, 0xff, 0xfe, d, e, g] = address.octets() else {
        return None;
    };
    address.is_unicast_link_local().then_some([a ^ 2, b, c, d, e, g])
}
