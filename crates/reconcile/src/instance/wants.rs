//! Who wants what: the slots of an owner that are to be filled now, each with its template.

use std::collections::BTreeMap;

use orchestrator_model::{Owner, Slot, Timestamp};
use orchestrator_settings::Settings;
use orchestrator_store::Holding;

/// What an owner wants in one of its slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// An instance of this template. One that fills the slot stays, whatever template it was made from.
    Fill {
        /// Name of the template.
        template: String,
        /// Name of the network that it is reached on.
        network: String,
    },
    /// That the instance that fills the slot stays. An empty slot remains empty.
    Keep,
}

/// Answers what owners want. It does no I/O and is given the time, so that every answer can be tested.
pub trait Wants: Send + Sync + 'static {
    /// The slots of `owner` that are to be filled or kept at `now`, each with what is wanted there. An instance in any
    /// other slot is to end.
    ///
    /// `holding` is what the owner holds, where the owner is a client.
    fn slots(
        &self,
        owner: &Owner,
        holding: Option<&Holding>,
        settings: &Settings,
        now: Timestamp,
    ) -> BTreeMap<Slot, Want>;

    /// Owners that may want something although they have no instance and hold no lease. The full pass asks for them.
    fn owners(&self, _settings: &Settings) -> Vec<Owner> {
        Vec::new()
    }
}

/// What clients want: the template of their link or class, for as long as they hold a lease.
///
/// - An instance stays while its client holds a lease, also when the settings name another template since: the new one
///   is made when the old one has ended.
/// - On a link that provides nothing any more, instances end. On a link that is no longer in the settings nobody gets an
///   instance any more, and instances stay while leases last.
/// - A client whose instance was destroyed by an operator gets no new instance until its next lease event.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clients;

impl Wants for Clients {
    fn slots(&self, _: &Owner, holding: Option<&Holding>, settings: &Settings, now: Timestamp) -> BTreeMap<Slot, Want> {
        let Some(holding) = holding else { return BTreeMap::new() };
        if holding.active_leases.iter().all(|lease| lease.valid_until <= now) {
            return BTreeMap::new();
        }
        let (link, class) = (&holding.client.link, holding.client.class.as_deref());
        let keep = || holding.slots.iter().map(|slot| (slot.clone(), Want::Keep));
        if settings.link(link).is_none() {
            return keep().collect();
        }
        let wanted: Vec<Slot> = settings
            .template_of(link, class)
            .map(|(name, _)| Slot::new(name))
            .into_iter()
            .collect();
        if wanted.is_empty() {
            return BTreeMap::new();
        }
        // Each instance of a slot that is no longer wanted stands for one that is.
        let unwanted = holding.slots.iter().filter(|slot| !wanted.contains(slot)).count();
        let empty = wanted.into_iter().filter(|slot| !holding.slots.contains(slot));
        let fill = empty.skip(unwanted).filter(|_| holding.client.wants_instance);
        let fill = fill.map(|slot| {
            let (template, network) = (slot.as_str().to_owned(), link.clone());
            (slot, Want::Fill { template, network })
        });
        keep().chain(fill).collect()
    }
}
