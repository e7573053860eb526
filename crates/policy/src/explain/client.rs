//! Whom a client may speak with.

use orchestrator_host::PolicyItem;
use orchestrator_model::{PolicyDirection, PolicyRule};

use super::blind::blind;
use super::party::name_of;
use crate::ports::ports;
use crate::{Entry, LinkFacts, Links, OwnerFacts, Why};

/// The rules of a client on these links.
pub(super) fn rules(facts: &OwnerFacts, names: &[String], links: &Links, entries: &[Entry]) -> Vec<PolicyRule> {
    let mut rules = Vec::new();
    if let Some(blind) = blind(facts, entries, links) {
        let instances = facts.instances.iter().filter(|one| is_on(one, &blind.link));
        rules.extend(instances.map(|one| own_instance(one, false, blind.why.clone())));
        if !blind.may_speak {
            let with = format!("everybody on link {}", blind.link);
            rules.push(rule(PolicyDirection::Both, &with, false, blind.why));
            rules.extend(
                names
                    .iter()
                    .filter(|name| links.get(name).is_none())
                    .map(|name| unchecked(name)),
            );
            return rules;
        }
    } else {
        rules.extend(own_instances(facts, entries));
    }
    rules.extend(entries.iter().filter_map(|entry| door(facts, entry)));
    for name in names {
        match links.get(name) {
            Some(link) => rules.extend(of_link(link)),
            None => rules.push(unchecked(name)),
        }
    }
    if names.iter().any(|name| links.get(name).is_some()) {
        let own = "this daemon does not filter it; your own firewall does";
        rules.push(rule(PolicyDirection::Both, "this machine", true, own));
        rules.push(rule(PolicyDirection::Out, "the world", true, own));
    }
    rules
}

/// A rule about everything that somebody may say to somebody.
pub(super) fn rule(direction: PolicyDirection, with: &str, allowed: bool, why: impl Into<String>) -> PolicyRule {
    PolicyRule {
        direction,
        with: with.to_owned(),
        instance: None,
        prefix: None,
        ports: None,
        allowed,
        why: why.into(),
    }
}

/// The rule of a link whose packets are not checked.
pub(super) fn unchecked(link: &str) -> PolicyRule {
    let why = format!("link {link} has isolation = false, so that its packets are not checked");
    rule(PolicyDirection::Both, "everybody", true, why)
}

/// The client with each of its instances, once.
fn own_instances(facts: &OwnerFacts, entries: &[Entry]) -> Vec<PolicyRule> {
    let with = |instance: &orchestrator_model::Instance| {
        let pair = entries.iter().find(|entry| match (&entry.item, &entry.why) {
            (PolicyItem::Pair(_), Why::Own { id, .. }) => *id == instance.id,
            _ => false,
        })?;
        Some(own_instance(instance, true, pair.why.to_string()))
    };
    facts.instances.iter().filter_map(with).collect()
}

fn own_instance(instance: &orchestrator_model::Instance, allowed: bool, why: String) -> PolicyRule {
    PolicyRule {
        instance: Some(instance.id),
        prefix: instance.address().map(Into::into),
        ..rule(PolicyDirection::Both, &name_of(instance), allowed, why)
    }
}

fn is_on(instance: &orchestrator_model::Instance, link: &str) -> bool {
    instance.attachments.iter().any(|one| one.network == link)
}

fn door(facts: &OwnerFacts, entry: &Entry) -> Option<PolicyRule> {
    let PolicyItem::Door(door) = &entry.item else {
        return None;
    };
    let instance = facts
        .instances
        .iter()
        .find(|one| one.address() == Some(door.instance))?;
    let with = format!("front door {} to {}", door.front, name_of(instance));
    Some(PolicyRule {
        instance: Some(instance.id),
        prefix: Some(door.front.into()),
        ports: door.traffic.and_then(ports),
        ..rule(
            PolicyDirection::Out,
            &with,
            true,
            format!("{}, for {}", entry.why, door.source),
        )
    })
}

/// What the settings of a link say to all of its clients.
fn of_link(link: &LinkFacts) -> Vec<PolicyRule> {
    let name = &link.name;
    let together = !link.isolation.isolate_clients;
    let says = |key: &str, value: bool| format!("{key} = {value} of link {name}");
    let with = format!("other clients of link {name}");
    let mut rules = vec![rule(
        PolicyDirection::Both,
        &with,
        together,
        says("isolate_clients", !together),
    )];
    let open = format!("instances of other clients of link {name}");
    let opened = "nothing but the ports in `open` of their templates";
    rules.push(rule(PolicyDirection::Out, &open, false, opened));
    rules.push(rule(
        PolicyDirection::Both,
        &format!("IPv4 and ARP on link {name}"),
        link.isolation.ipv4,
        says("ipv4", link.isolation.ipv4),
    ));
    rules
}
