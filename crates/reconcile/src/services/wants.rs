//! What services want of the workers of instances.

use std::collections::BTreeMap;

use orchestrator_catalog::Declared;
use orchestrator_model::{ClientId, HostId, Owner, Slot, SlotKey, Timestamp};
use orchestrator_service::PerClient;
use orchestrator_store::Holding;

use super::board::{Board, Wanted};
use crate::instance::{Want, Wants, is_spent};

/// What services want: an instance in each slot that they have opened, and for each client of a service with one for
/// each, an instance while it holds a lease.
///
/// - A slot that drains keeps its instance, and gets no other.
/// - A slot whose template the catalog does not have yet is not filled: the full pass that follows the catalog asks again.
/// - An instance of a client stays while its client holds a lease. When another version was deployed, it is taken away in its
///   turn, and the client gets one of that version.
#[derive(Debug, Clone)]
pub struct ServiceWants(pub(super) Board);

impl ServiceWants {
    /// The slots that services have for the clients of this link and class, each with the template.
    fn of_clients(&self, link: &str, class: Option<&str>) -> Vec<(Slot, String)> {
        let services = self.0.services();
        let of_clients = services.iter().filter_map(|(name, wanted)| match wanted {
            Wanted::PerClient(clients, template, _) if are_of(clients, link, class) => {
                Some((Slot::of_service(name), template.clone()))
            }
            Wanted::PerClient(..) | Wanted::KeepPerClient | Wanted::Slots(_) => None,
        });
        of_clients.collect()
    }

    /// The slots of a client whose instance is taken away now, because another version is to take its place.
    fn replaced(&self, client: &ClientId) -> Vec<Slot> {
        let services = self.0.services();
        let replaced = services.iter().filter(|(_, wanted)| match wanted {
            Wanted::PerClient(_, _, replaced) => replaced.contains(client),
            Wanted::KeepPerClient | Wanted::Slots(_) => false,
        });
        replaced.map(|(name, _)| Slot::of_service(name)).collect()
    }

    /// The slots of clients that keep what they have: those of services whose version cannot be read.
    fn kept(&self) -> Vec<Slot> {
        let services = self.0.services();
        let kept = services.iter().filter(|(_, wanted)| **wanted == Wanted::KeepPerClient);
        kept.map(|(name, _)| Slot::of_service(name)).collect()
    }
}

/// The want, unless it is for a template that the catalog does not have: then what is there stays.
fn known(want: &Want, declared: &Declared) -> Want {
    match want {
        Want::Fill { template, .. } if declared.template(template).is_none() => Want::Keep,
        want => want.clone(),
    }
}

fn are_of(clients: &PerClient, link: &str, class: Option<&str>) -> bool {
    match clients {
        PerClient::Link(name) => name == link,
        PerClient::Class(name) => Some(name.as_str()) == class,
    }
}

impl Wants for ServiceWants {
    fn slots(
        &self,
        owner: &Owner,
        holding: Option<&Holding>,
        declared: &Declared,
        now: Timestamp,
    ) -> BTreeMap<Slot, Want> {
        if let Owner::Service(name) = owner {
            return match self.0.services().get(name) {
                Some(Wanted::Slots(slots)) => {
                    let want = |(slot, want): (&Slot, &Want)| (slot.clone(), known(want, declared));
                    slots.iter().map(want).collect()
                }
                Some(Wanted::PerClient(..) | Wanted::KeepPerClient) | None => BTreeMap::new(),
            };
        }
        let holds = |holding: &&Holding| holding.active_leases.iter().any(|lease| lease.valid_until > now);
        let Some(holding) = holding.filter(holds) else {
            return BTreeMap::new();
        };
        let client = &holding.client;
        let of_clients = self.of_clients(&client.link, client.class.as_deref());
        let kept = self.kept().into_iter().filter(|slot| holding.slots.contains(slot));
        let kept = kept.map(|slot| (slot, Want::Keep));
        let replaced = self.replaced(&client.id);
        let want = |(slot, template): (Slot, String)| {
            if replaced.contains(&slot) {
                return None;
            }
            let is_filled = holding.slots.contains(&slot);
            let is_spent = || is_spent(holding, &slot, declared.again(&template), now);
            match is_filled {
                true => Some((slot, Want::Keep)),
                false if !client.wants_instance || is_spent() => None,
                false => {
                    let want = Want::Fill {
                        template,
                        network: client.link.clone(),
                        by_router: false,
                        host: Some(HostId::local()),
                    };
                    Some((slot, known(&want, declared)))
                }
            }
        };
        kept.chain(of_clients.into_iter().filter_map(want)).collect()
    }

    // A service may have thousands of slots, and the worker of each asks for its own alone.
    fn slot(
        &self,
        owner: &Owner,
        slot: &Slot,
        holding: Option<&Holding>,
        declared: &Declared,
        now: Timestamp,
    ) -> Option<Want> {
        let Owner::Service(name) = owner else {
            return self.slots(owner, holding, declared, now).remove(slot);
        };
        match self.0.services().get(name) {
            Some(Wanted::Slots(slots)) => slots.get(slot).map(|want| known(want, declared)),
            Some(Wanted::PerClient(..) | Wanted::KeepPerClient) | None => None,
        }
    }

    fn slots_of_holder(&self, link: &str, class: Option<&str>, _: &Declared) -> Vec<Slot> {
        let of_clients = self.of_clients(link, class).into_iter();
        of_clients.map(|(slot, _)| slot).collect()
    }

    fn provides(&self, link: &str) -> bool {
        let services = self.0.services();
        // A client of any link may be in a class.
        services.values().any(|wanted| match wanted {
            Wanted::PerClient(PerClient::Link(name), ..) => name == link,
            Wanted::PerClient(PerClient::Class(_), ..) => true,
            Wanted::KeepPerClient | Wanted::Slots(_) => false,
        })
    }

    fn to_fill(&self) -> Vec<SlotKey> {
        let services = self.0.services();
        let counted = services.iter().filter_map(|(name, wanted)| match wanted {
            Wanted::Slots(slots) => Some((name, slots)),
            Wanted::PerClient(..) | Wanted::KeepPerClient => None,
        });
        let to_fill = counted.flat_map(|(name, slots)| {
            let to_fill = slots.iter().filter(|(_, want)| matches!(want, Want::Fill { .. }));
            to_fill.map(|(slot, _)| SlotKey::new(Owner::Service(name.clone()), slot.clone()))
        });
        to_fill.collect()
    }
}
