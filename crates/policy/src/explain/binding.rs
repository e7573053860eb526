//! The addresses that somebody may speak from.

use ipnet::Ipv6Net;
use orchestrator_host::PolicyItem;
use orchestrator_model::{BindingState, Learnt, LeaseSource, MacAddress, PolicyBinding};

use super::Party;
use crate::{Entry, Policy, Why};

/// The bindings of a party among the entries of its owner.
pub(super) fn bindings(party: Party<'_>, entries: &[Entry], applied: &Policy) -> Vec<PolicyBinding> {
    let mut all: Vec<PolicyBinding> = Vec::new();
    for entry in entries {
        let Some(found) = binding(party, entry) else { continue };
        let state = state(party, entry, applied);
        let binding = PolicyBinding { state, ..found };
        // Two leases are asked for from one link-local address. The older claim counts.
        let known = all
            .iter_mut()
            .find(|one| (&one.link, one.prefix, one.link_layer) == (&binding.link, binding.prefix, binding.link_layer));
        match known {
            Some(known) if known.since <= binding.since => {}
            Some(known) => *known = binding,
            None => all.push(binding),
        }
    }
    all
}

fn binding(party: Party<'_>, entry: &Entry) -> Option<PolicyBinding> {
    let (link, prefix, mac, port) = match (&entry.item, party) {
        (PolicyItem::Client(one), Party::Client(_)) => (&one.bridge, one.prefix, one.mac, one.port.clone()),
        (PolicyItem::Instance(one), Party::Instance(_, instance)) => {
            let is_own = instance.attachments.iter().any(|own| own.host_end() == one.port);
            is_own.then(|| (&one.bridge, one.prefix, one.mac, Some(one.port.clone())))?
        }
        _ => return None,
    };
    Some(PolicyBinding {
        link: link.clone(),
        prefix,
        link_layer: MacAddress(mac),
        port,
        learnt: learnt(prefix, &entry.why),
        why: entry.why.to_string(),
        since: entry.since,
        state: BindingState::Pending,
    })
}

/// How the daemon learnt whose an address is.
fn learnt(prefix: Ipv6Net, why: &Why) -> Learnt {
    match why {
        Why::Asked => Learnt::LinkLocal,
        Why::Lease { source, .. } => match source {
            LeaseSource::Registration => Learnt::Registration,
            LeaseSource::Neighbor => Learnt::Neighbor,
            LeaseSource::Listener | LeaseSource::Dnsmasq if prefix.prefix_len() < 128 => Learnt::DelegatedPrefix,
            LeaseSource::Listener | LeaseSource::Dnsmasq => Learnt::Lease,
        },
        _ if prefix.addr().is_unicast_link_local() => Learnt::LinkLocal,
        _ if prefix.prefix_len() < 128 => Learnt::RoutedPrefix,
        _ => Learnt::Instance,
    }
}

fn state(party: Party<'_>, entry: &Entry, applied: &Policy) -> BindingState {
    match applied.holder(&entry.item) {
        Some((Some(owner), item)) if party.is_of(owner) && *item == entry.item => BindingState::InForce,
        Some((Some(owner), _)) if !party.is_of(owner) => BindingState::HeldBy(owner.clone()),
        _ => BindingState::Pending,
    }
}
