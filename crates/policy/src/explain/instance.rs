//! Whom an instance may speak with.

use ipnet::Ipv6Net;
use orchestrator_host::{Destination, Endpoint, PolicyItem, PortRate};
use orchestrator_model::{Instance, Owner, PolicyDirection, PolicyRule};

use super::blind::blind;
use super::client::{rule, unchecked};
use super::party::name_of;
use crate::ports::ports;
use crate::ways::is_balancer;
use crate::{Entry, Links, OwnerFacts, derive_links};

/// The rules of an instance on these links.
pub(super) fn rules(
    facts: &OwnerFacts,
    instance: &Instance,
    names: &[String],
    links: &Links,
    entries: &[Entry],
) -> Vec<PolicyRule> {
    let mut rules = Vec::new();
    let own = entries.iter().find(|entry| is_pair_of(&entry.item, instance));
    if let (Some(pair), Owner::Client(client)) = (own, &facts.owner) {
        let with = format!("its own client {client}");
        let blind = blind(facts, entries, links).filter(|blind| names.contains(&blind.link));
        let why = blind
            .as_ref()
            .map_or_else(|| pair.why.to_string(), |blind| blind.why.clone());
        rules.push(rule(PolicyDirection::Both, &with, blind.is_none(), why));
    }
    let nat = entries.iter().any(|entry| is_nat_of(&entry.item, instance));
    for entry in entries {
        rules.extend(of_entry(facts, instance, entry, nat));
    }
    if is_balancer(&facts.owner) {
        let why = "it is a balancer, which leads to services";
        rules.push(rule(PolicyDirection::Out, "the open TCP ports of services", true, why));
    }
    for name in names.iter().filter(|name| links.get(name).is_none()) {
        rules.push(unchecked(name));
    }
    if names.iter().any(|name| links.get(name).is_some()) {
        rules.extend(derive_links(links).iter().filter_map(service));
        let why = "no rule allows it; answers to what is allowed pass";
        rules.push(rule(PolicyDirection::Both, "everybody else", false, why));
    }
    rules
}

fn of_entry(facts: &OwnerFacts, instance: &Instance, entry: &Entry, nat: bool) -> Vec<PolicyRule> {
    let why = || entry.why.to_string();
    match &entry.item {
        PolicyItem::Open { to, traffic } if is_at(to, instance) => vec![PolicyRule {
            ports: ports(*traffic),
            ..rule(PolicyDirection::In, "clients of its link", true, why())
        }],
        PolicyItem::Peer { from, to, traffic } if is_at(from, instance) || is_at(to, instance) => {
            let (direction, other) = match is_at(from, instance) {
                true => (PolicyDirection::Out, to),
                false => (PolicyDirection::In, from),
            };
            let peer = facts.instances.iter().find(|one| is_at(other, one));
            vec![PolicyRule {
                instance: peer.map(|peer| peer.id),
                prefix: Some(other.address.into()),
                ports: ports(*traffic),
                ..rule(
                    direction,
                    &peer.map_or_else(|| "a balancer".to_owned(), name_of),
                    true,
                    why(),
                )
            }]
        }
        PolicyItem::Egress { address, to } if instance.address() == Some(*address) => {
            to.iter().map(|to| world(to, why(), nat)).collect()
        }
        PolicyItem::Rate(rate) if instance.attachments.iter().any(|one| one.host_end() == rate.port) => {
            vec![rule(PolicyDirection::Out, &limit(rate), true, why())]
        }
        _ => Vec::new(),
    }
}

fn world(to: &Destination, why: String, nat: bool) -> PolicyRule {
    let source = if nat {
        ", with an address of this machine (nat)"
    } else {
        ""
    };
    PolicyRule {
        prefix: Some(to.prefix),
        ports: to.traffic.and_then(ports),
        ..rule(PolicyDirection::Out, "the world", true, why + source)
    }
}

fn service(entry: &Entry) -> Option<PolicyRule> {
    let PolicyItem::Service { address, traffic } = &entry.item else {
        return None;
    };
    Some(PolicyRule {
        prefix: Some(Ipv6Net::from(*address)),
        ports: ports(*traffic),
        ..rule(PolicyDirection::Out, "this machine", true, entry.why.to_string())
    })
}

fn limit(rate: &PortRate) -> String {
    let packets = rate.packets.map(|packets| format!("{packets} packets"));
    let bytes = rate.bytes.map(|bytes| format!("{bytes} bytes"));
    let most: Vec<String> = packets.into_iter().chain(bytes).collect();
    format!("everybody, at most {} a second", most.join(" and "))
}

fn is_at(endpoint: &Endpoint, instance: &Instance) -> bool {
    instance.attachments.iter().any(|one| one.host_end() == endpoint.port)
}

fn is_pair_of(item: &PolicyItem, instance: &Instance) -> bool {
    matches!(item, PolicyItem::Pair(pair) if is_at(&pair.instance, instance))
}

fn is_nat_of(item: &PolicyItem, instance: &Instance) -> bool {
    matches!(item, PolicyItem::Nat { address } if instance.address() == Some(*address))
}
