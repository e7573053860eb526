//! Whom an instance reaches.

use std::net::Ipv6Addr;

use orchestrator_host::{DropCause, PolicyItem};
use orchestrator_model::{Instance, Ports};

use super::blind::blind;
use super::decide::{Asked, Ruling};
use super::party::name_of;
use super::{Party, Target};
use crate::ports::ports;
use crate::ways::{is_balancer, is_led_to, ways};
use crate::{Entry, LinkFacts, Links, OwnerFacts, Policy, derive, derive_links};

/// Whether an instance reaches the target.
pub(super) fn rule(
    facts: &OwnerFacts,
    instance: &Instance,
    asked: &Asked<'_>,
    links: &Links,
    applied: &Policy,
) -> Ruling {
    let names = asked.from.links();
    let checked: Vec<&LinkFacts> = names.iter().filter_map(|name| links.get(name)).collect();
    if checked.is_empty() {
        return Ruling::not_checked("the instance is on no link with isolation");
    }
    let Some(own) = instance.address() else {
        let why = "the instance has no address yet, so that none is bound to it";
        return Ruling::dropped(DropCause::Source, why);
    };
    let mut entries = derive(facts, links);
    if let Target::Party(Party::Instance(of, _)) = asked.to
        && is_balancer(&facts.owner)
    {
        entries.extend(ways(of, links, applied.balancers()));
    }
    match asked.to {
        Target::Party(Party::Client(of)) if of.owner == facts.owner => {
            let blind = blind(of, &entries, links);
            let blind = blind.filter(|blind| names.contains(&blind.link));
            blind.map_or_else(
                || own_client(instance, &entries),
                |blind| Ruling::dropped(DropCause::Pair, blind.why),
            )
        }
        Target::Party(Party::Client(of)) => {
            let why = format!(
                "{} is not its own client; only answers from its open ports pass",
                of.owner
            );
            Ruling::dropped(DropCause::Pair, why)
        }
        Target::Party(Party::Instance(_, other)) if other.id == instance.id => {
            Ruling::not_checked("it is the instance itself")
        }
        Target::Party(Party::Instance(of, other)) => peer(facts, instance, of, other, asked.ports, &entries),
        Target::Address(address) => elsewhere(own, address, asked.ports, &entries, links, &checked),
    }
}

fn own_client(instance: &Instance, entries: &[Entry]) -> Ruling {
    let pair = entries.iter().find(|entry| match &entry.item {
        PolicyItem::Pair(pair) => is_at(&pair.instance.port, instance),
        _ => false,
    });
    match pair {
        Some(pair) => Ruling::allowed(pair.why.to_string()),
        None => Ruling::dropped(DropCause::Pair, "its client holds no lease on a link with isolation"),
    }
}

fn peer(
    facts: &OwnerFacts,
    instance: &Instance,
    of: &OwnerFacts,
    other: &Instance,
    asked: Option<Ports>,
    entries: &[Entry],
) -> Ruling {
    let is_led = is_balancer(&facts.owner) && is_led_to(&of.owner);
    if of.owner != facts.owner && !is_led {
        let why = format!(
            "{} belongs to {}: no instance speaks with one of another owner",
            name_of(other),
            of.owner
        );
        return Ruling::dropped(DropCause::Pair, why);
    }
    let named = entries.iter().filter_map(|entry| match &entry.item {
        PolicyItem::Peer { from, to, traffic } if is_at(&from.port, instance) && is_at(&to.port, other) => {
            Some((ports(*traffic), entry.why.to_string()))
        }
        _ => None,
    });
    let why = match is_led {
        true => format!("{} of {} has no such port of TCP", name_of(other), of.owner),
        false => format!("template {} does not name {} in peers", instance.template, other.slot),
    };
    let named: Vec<_> = named.collect();
    Ruling::of_ports(asked, &named, Ruling::dropped(DropCause::Pair, why))
}

fn elsewhere(
    own: Ipv6Addr,
    address: Ipv6Addr,
    asked: Option<Ports>,
    entries: &[Entry],
    links: &Links,
    checked: &[&LinkFacts],
) -> Ruling {
    let services: Vec<_> = derive_links(links)
        .into_iter()
        .filter_map(|entry| match entry.item {
            PolicyItem::Service { address: at, traffic } if at == address => {
                Some((ports(traffic), entry.why.to_string()))
            }
            _ => None,
        })
        .collect();
    let is_host = !services.is_empty() || links.iter().any(|link| link.has(address));
    if is_host {
        let why = "an instance reaches nothing of this machine but DNS and metadata";
        return Ruling::of_ports(asked, &services, Ruling::dropped(DropCause::Host, why));
    }
    if let Some(link) = links.iter().find(|link| link.address.contains(&address)) {
        let why = format!(
            "nobody has this address of link {}, whose prefix is never part of the world",
            link.name
        );
        return Ruling::dropped(DropCause::Pair, why);
    }
    let to_world = entries.iter().filter_map(|entry| match &entry.item {
        PolicyItem::Egress { address, to } if *address == own => Some((entry, to)),
        _ => None,
    });
    let to_world: Vec<_> = to_world
        .flat_map(|(entry, to)| to.iter().map(move |to| (entry, to)))
        .filter(|(_, to)| to.prefix.contains(&address))
        .map(|(entry, to)| (to.traffic.and_then(ports), format!("{}: {}", entry.why, to.prefix)))
        .collect();
    let names = checked
        .iter()
        .map(|link| link.name.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    let why = format!("no egress of its template holds this address, which is outside of link {names}");
    Ruling::of_ports(asked, &to_world, Ruling::dropped(DropCause::Egress, why))
}

fn is_at(port: &str, instance: &Instance) -> bool {
    instance.attachments.iter().any(|one| one.host_end() == port)
}
