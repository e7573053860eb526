//! Where a client comes to at the front door of its link.

use orchestrator_host::{Door, PolicyItem};
use orchestrator_model::{Instance, Phase};

use crate::client::Held;
use crate::instance::Attached;
use crate::ports::traffic;
use crate::{Entry, LinkFacts, Why};

/// The doors of one source to the client's instances that are ready.
///
/// An instance has the ports that its template names. Among those whose templates name none, the first in the order of
/// the link's templates has all others.
pub(crate) fn doors(held: &Held<'_>, attached: &[Attached<'_>]) -> Vec<Entry> {
    let Some(front) = held.link.isolation.front_door.filter(|_| held.mac.is_some()) else {
        return Vec::new();
    };
    let mut ready: Vec<&Attached<'_>> = attached.iter().filter(|one| leads_to(held.link, one)).collect();
    ready.sort_by_key(|one| place(held.link, one.instance));
    let mut entries = Vec::new();
    let mut has_rest = false;
    for one in ready {
        let Some(instance) = one.attachment.address else {
            continue;
        };
        let named = &one.instance.spec.access.front_door;
        let mut traffics: Vec<_> = named.iter().map(|ports| Some(traffic(ports))).collect();
        if named.is_empty() && !has_rest {
            has_rest = true;
            traffics.push(None);
        }
        entries.extend(traffics.into_iter().map(|traffic| {
            let door = Door {
                front,
                source: held.prefix,
                traffic,
                instance,
            };
            let why = Why::Ready {
                id: one.instance.id,
                slot: one.instance.slot.clone(),
            };
            one.entry(PolicyItem::Door(door), why)
        }));
    }
    entries
}

fn leads_to(link: &LinkFacts, attached: &Attached<'_>) -> bool {
    attached.instance.phase == Phase::Ready && attached.link.name == link.name
}

/// The place of an instance among those of its owner: by the link's templates, then by slot.
fn place(link: &LinkFacts, instance: &Instance) -> (usize, String) {
    let slot = instance.slot.as_str();
    let place = link.slots.iter().position(|name| name == slot);
    (place.unwrap_or(link.slots.len()), slot.to_owned())
}
