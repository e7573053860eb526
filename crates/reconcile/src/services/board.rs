//! The slots of all services, as their workers last read them. The wants of services are answered from here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orchestrator_model::{ClientId, HostId, ServiceSlot, ServiceState, Slot, SlotState, service_template};
use orchestrator_service::{Instances, PerClient};

use super::reading::Reading;
use crate::instance::Want;

/// What each service wants. A cheap handle: all clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Board {
    services: Arc<Mutex<BTreeMap<String, Wanted>>>,
}

/// What one service wants.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wanted {
    /// These slots are to be filled or kept.
    Slots(BTreeMap<Slot, Want>),
    /// Each of these clients is to have an instance of this template. From those in the set, the instance of an earlier version
    /// is taken away first.
    PerClient(PerClient, String, BTreeSet<ClientId>),
    /// Nobody can say which clients are to have an instance. Those that have one keep it.
    KeepPerClient,
}

impl Board {
    pub(super) fn services(&self) -> MutexGuard<'_, BTreeMap<String, Wanted>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what is recorded of a service, and which clients have their instance replaced now. Returns what it wants now
    /// and what it wanted before, if that is something else.
    pub(super) fn put(&self, reading: &Reading, replaced: BTreeSet<ClientId>) -> Option<(Wanted, Option<Wanted>)> {
        let wanted = wanted(reading, replaced);
        let mut services = self.services();
        if services.get(reading.name()) == Some(&wanted) {
            return None;
        }
        let before = services.insert(reading.name().to_owned(), wanted.clone());
        Some((wanted, before))
    }

    /// Takes a change back that nobody could be notified of, so that it is seen again.
    pub(super) fn take_back(&self, service: &str, before: Option<Wanted>) {
        let mut services = self.services();
        match before {
            Some(before) => drop(services.insert(service.to_owned(), before)),
            None => drop(services.remove(service)),
        }
    }

    /// The hosts that the empty slots of a service were given when it was last read.
    pub(super) fn given(&self, service: &str) -> BTreeMap<Slot, HostId> {
        let services = self.services();
        let Some(Wanted::Slots(slots)) = services.get(service) else {
            return BTreeMap::new();
        };
        let given = slots.iter().filter_map(|(slot, want)| match want {
            Want::Fill { host, .. } => Some((slot.clone(), host.clone()?)),
            Want::Keep => None,
        });
        given.collect()
    }

    pub(super) fn remove(&self, service: &str) {
        self.services().remove(service);
    }
}

impl Wanted {
    /// The slots whose workers have something to do because this is wanted instead of `before`; `None` for those of everybody
    /// that is concerned. That a slot which was empty has its instance by now concerns nobody.
    pub(super) fn changed(&self, before: Option<&Self>) -> Option<BTreeSet<Slot>> {
        let (Self::Slots(now), Some(Self::Slots(before))) = (self, before) else {
            return None;
        };
        let slots: BTreeSet<&Slot> = before.keys().chain(now.keys()).collect();
        let changed = slots
            .into_iter()
            .filter(|slot| match (before.get(slot), now.get(slot)) {
                (Some(before), Some(now)) => !is_as_before(before, now),
                _ => true,
            });
        Some(changed.cloned().collect())
    }
}

/// Whether a slot's worker need not hear of its want.
fn is_as_before(before: &Want, now: &Want) -> bool {
    let mut filled = before.clone();
    if let Want::Fill { host, .. } = &mut filled {
        *host = None;
    }
    now == before || *now == filled
}

fn wanted(reading: &Reading, replaced: BTreeSet<ClientId>) -> Wanted {
    let service = &reading.situation.service;
    if service.instances.is_none() && service.state == ServiceState::Active {
        return match reading.target().map(|spec| &spec.instances) {
            Some(Instances::PerClient(clients)) => {
                let template = service_template(&service.name, service.version);
                Wanted::PerClient(clients.clone(), template, replaced)
            }
            Some(Instances::Count(_)) | None => Wanted::KeepPerClient,
        };
    }
    let want = |slot: &ServiceSlot| {
        let spec = reading.spec(slot.version);
        let by_router = spec.is_some_and(|spec| !spec.listen.is_empty());
        let network = spec.and_then(|spec| spec.network.clone());
        let is_filled = reading.instance_in(slot).is_some();
        let host = match reading.places.get(&slot.number) {
            Some(Ok(host)) if !is_filled => Some(host.clone()),
            _ => None,
        };
        let is_placed = is_filled || host.is_some();
        let want = match network.filter(|_| slot.state == SlotState::Wanted && is_placed) {
            Some(network) => Want::Fill {
                template: service_template(&service.name, slot.version),
                network,
                by_router,
                host,
            },
            None => Want::Keep,
        };
        (slot.slot(), want)
    };
    let open = reading.situation.slots.iter();
    let open = open.filter(|slot| slot.state != SlotState::Closed);
    Wanted::Slots(open.map(want).collect())
}
