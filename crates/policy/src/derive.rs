//! The entries of one owner, and those of the links.

use orchestrator_model::Timestamp;

use crate::client::{Held, bindings, held, of_holder};
use crate::door::doors;
use crate::instance::{self, Attached, attached};
use crate::speak::{open, pairs, peers};
use crate::world::egress;
use crate::{Entry, Links, OwnerFacts, Why};

/// What is allowed for one owner: to its client and to its instances, each with its reason. An item may be there twice,
/// for two reasons.
pub fn derive(facts: &OwnerFacts, links: &Links) -> Vec<Entry> {
    let leases = facts
        .leases
        .iter()
        .filter_map(|lease| Some((lease, links.get(&lease.link)?)));
    let held: Vec<Held<'_>> = leases.map(|(lease, link)| held(facts, lease, link)).collect();
    let attached: Vec<Attached<'_>> = facts.instances.iter().flat_map(|one| attached(one, links)).collect();
    let mut entries: Vec<Entry> = held.iter().flat_map(bindings).collect();
    for one in &attached {
        entries.extend(instance::entries(one));
        let own = of_holder(&held, &one.link.name);
        entries.extend(own.into_iter().flat_map(|held| pairs(held, one)));
        entries.extend(open(one));
        entries.extend(egress(one));
        let others = attached.iter().filter(|other| other.instance.id != one.instance.id);
        entries.extend(others.flat_map(|other| peers(one, other)));
    }
    for link in links.iter().filter(|link| link.isolation.front_door.is_some()) {
        let own = of_holder(&held, &link.name);
        let there = own.into_iter().filter(|held| held.link.name == link.name);
        entries.extend(there.flat_map(|held| doors(held, &attached)));
    }
    entries
}

/// What the settings alone say: how each link is checked, the roles of its ports, and the services of this machine.
pub fn derive_links(links: &Links) -> Vec<Entry> {
    let of_links = links.iter().flat_map(|link| {
        let why = || Why::Link(link.name.clone());
        link.items().into_iter().map(move |item| (item, why()))
    });
    let services = links.services().into_iter().map(|item| (item, Why::Service));
    let entry = |(item, why)| Entry {
        item,
        why,
        since: Timestamp(0),
    };
    of_links.chain(services).map(entry).collect()
}
