//! Whom a client reaches.

use std::net::Ipv6Addr;

use orchestrator_host::{DropCause, PolicyItem};
use orchestrator_model::{BindingState, Instance, Ports};

use super::binding::bindings;
use super::blind::blind;
use super::decide::{Asked, Ruling};
use super::party::name_of;
use super::{Party, Target};
use crate::ports::ports;
use crate::{Entry, LinkFacts, Links, OwnerFacts, Policy, Why, derive};

/// Whether a client reaches the target.
pub(super) fn rule(facts: &OwnerFacts, asked: &Asked<'_>, links: &Links, applied: &Policy) -> Ruling {
    let names = asked.from.links();
    if names.is_empty() {
        return Ruling::dropped(
            DropCause::Source,
            "the client holds no lease, so that no address is bound to it",
        );
    }
    let checked: Vec<&LinkFacts> = names.iter().filter_map(|name| links.get(name)).collect();
    if checked.is_empty() {
        let why = format!(
            "the packets of link {} are not checked: isolation = false",
            names.join(", ")
        );
        return Ruling::not_checked(why);
    }
    let entries = derive(facts, links);
    if let Some(blind) = blind(facts, &entries, links) {
        if !blind.may_speak {
            return Ruling::dropped(DropCause::Source, blind.why);
        }
        if let Target::Party(Party::Instance(of, instance)) = asked.to
            && of.owner == facts.owner
            && instance.attachments.iter().any(|one| one.network == blind.link)
        {
            return Ruling::dropped(DropCause::Pair, blind.why);
        }
    }
    if let Some(refused) = unbound(asked.from, &entries, applied) {
        return refused;
    }
    match asked.to {
        Target::Party(Party::Instance(of, instance)) if of.owner == facts.owner => own(instance, &entries, links),
        Target::Party(Party::Instance(of, instance)) => other(of, instance, asked.ports, links),
        Target::Party(Party::Client(other)) => client(facts, other, &checked),
        Target::Address(address) => elsewhere(facts, address, asked.ports, &entries, &checked),
    }
}

/// The ruling when no address of the client is bound to it in the packet filter.
fn unbound(from: Party<'_>, entries: &[Entry], applied: &Policy) -> Option<Ruling> {
    let bindings = bindings(from, entries, applied);
    let states = || bindings.iter().map(|binding| &binding.state);
    if bindings.is_empty() || states().any(|state| *state == BindingState::InForce) {
        return None;
    }
    let held = states().find_map(|state| match state {
        BindingState::HeldBy(owner) => Some(owner),
        BindingState::InForce | BindingState::Pending => None,
    });
    let why = match held {
        Some(owner) => format!("{owner} claimed its address first"),
        None => "the packet filter does not have its addresses yet; GET /v1/ready says why".to_owned(),
    };
    Some(Ruling::dropped(DropCause::Source, why))
}

fn own(instance: &Instance, entries: &[Entry], links: &Links) -> Ruling {
    let is_own = |entry: &&Entry| match (&entry.item, &entry.why) {
        (PolicyItem::Pair(_), Why::Own { id, .. }) => *id == instance.id,
        _ => false,
    };
    match entries.iter().find(is_own) {
        Some(pair) => Ruling::allowed(pair.why.to_string()),
        None => not_checked(instance, links).unwrap_or_else(|| {
            let why = format!("{} has no address yet", name_of(instance));
            Ruling::dropped(DropCause::Pair, why)
        }),
    }
}

/// The ruling about an instance on links whose packets are not checked.
fn not_checked(instance: &Instance, links: &Links) -> Option<Ruling> {
    let is_checked = instance.attachments.iter().any(|one| links.get(&one.network).is_some());
    let why = || format!("{} is on no link with isolation", name_of(instance));
    (!is_checked).then(|| Ruling::not_checked(why()))
}

fn other(of: &OwnerFacts, instance: &Instance, asked: Option<Ports>, links: &Links) -> Ruling {
    if let Some(open_to_all) = not_checked(instance, links) {
        return open_to_all;
    }
    let is_own = |port: &str| instance.attachments.iter().any(|one| one.host_end() == port);
    let open = derive(of, links).into_iter().filter_map(|entry| match entry.item {
        PolicyItem::Open { to, traffic } if is_own(&to.port) => Some((ports(traffic), entry.why.to_string())),
        _ => None,
    });
    let why = format!(
        "{} belongs to {}, and its template opens no such port",
        name_of(instance),
        of.owner
    );
    Ruling::of_ports(asked, &open.collect::<Vec<_>>(), Ruling::dropped(DropCause::Pair, why))
}

fn client(facts: &OwnerFacts, other: &OwnerFacts, checked: &[&LinkFacts]) -> Ruling {
    if facts.owner == other.owner {
        return Ruling::not_checked("it is the client itself");
    }
    let theirs = Party::Client(other).links();
    match checked.iter().find(|link| theirs.contains(&link.name)) {
        Some(link) if link.isolation.isolate_clients => {
            let why = format!("isolate_clients = true of link {}", link.name);
            Ruling::dropped(DropCause::Clients, why)
        }
        Some(link) => Ruling::allowed(format!("isolate_clients = false of link {}", link.name)),
        None => Ruling::not_checked("they are on different links: your own firewall decides"),
    }
}

fn elsewhere(
    facts: &OwnerFacts,
    address: Ipv6Addr,
    asked: Option<Ports>,
    entries: &[Entry],
    checked: &[&LinkFacts],
) -> Ruling {
    let Some(link) = checked.iter().find(|link| link.isolation.front_door == Some(address)) else {
        return Ruling::not_checked(match checked.iter().any(|link| link.has(address)) {
            true => "it is an address of this machine: your own firewall decides",
            false => "neither a client nor an instance has this address: your own firewall and your network decide",
        });
    };
    let doors = entries.iter().filter_map(|entry| match &entry.item {
        PolicyItem::Door(door) if door.front == address => {
            let to = facts
                .instances
                .iter()
                .find(|one| one.address() == Some(door.instance))?;
            let why = format!("the front door leads to {}", name_of(to));
            Some((door.traffic.and_then(ports), why))
        }
        _ => None,
    });
    let why = format!(
        "front door of link {}, where no instance of the client is ready",
        link.name
    );
    Ruling::of_ports(asked, &doors.collect::<Vec<_>>(), Ruling::not_checked(why))
}
