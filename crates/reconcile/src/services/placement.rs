//! On which host the instance of each slot is placed, and what is shown of slots that no host can have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, PoisonError};

use orchestrator_model::{HostId, Owner, ServiceSlot, ServiceState, Slot, SlotKey, SlotState};
use orchestrator_runtime::conditions::Owned;
use orchestrator_service::place::NoHost;
use orchestrator_settings::TemplateSettings;

use super::Services;
use super::candidates::Candidates;
use super::reading::Reading;

/// The hosts of wanted slots that have no instance, or why there is none.
pub(super) type Places = BTreeMap<u32, Result<HostId, NoHost>>;

/// Answers how many instances of all owners a host carries.
pub trait HostLoads: Send + Sync + 'static {
    /// The instances that a host has promised a place, and whether its limits leave no room for one more of this template. A
    /// place that `slot` has does not count.
    fn load(&self, host: &HostId, template: &TemplateSettings, slot: Option<&SlotKey>) -> (u64, bool);

    /// The slots of an owner that have a place, and whose instances are not recorded yet.
    fn granted(&self, owner: &Owner) -> BTreeSet<Slot>;

    /// Why a slot waits for a place, if a limit or a pause keeps it from having one.
    fn held_up(&self, slot: &SlotKey) -> Option<String>;
}

impl Services {
    /// Places the wanted slots that have no instance. A slot keeps the host that it was given while that may still have it:
    /// its instance may be about to be recorded.
    pub(super) fn place(&self, reading: &Reading) -> Places {
        let mut places = Places::new();
        if reading.situation.service.state != ServiceState::Active {
            return places;
        }
        let is_empty = |slot: &&ServiceSlot| slot.state == SlotState::Wanted && reading.instance_in(slot).is_none();
        let empty: Vec<&ServiceSlot> = reading.situation.slots.iter().filter(is_empty).collect();
        if empty.is_empty() {
            return places;
        }
        let owner = Owner::Service(reading.name().to_owned());
        let (given, loads) = (self.inner.board.given(reading.name()), self.inner.loads.get());
        let granted = loads.map(|loads| loads.granted(&owner)).unwrap_or_default();
        let hosts = self.reachable(&self.inner.known_hosts.borrow().clone());
        let load = |host: &HostId, template: &TemplateSettings, slot: Option<&SlotKey>| {
            loads.map_or((0, false), |loads| loads.load(host, template, slot))
        };
        let mut candidates = Candidates::new(reading, hosts, &empty, &load);
        // Those that were given a host take theirs first.
        let (before, new): (Vec<_>, Vec<_>) = empty.into_iter().partition(|slot| given.contains_key(&slot.slot()));
        for slot in before.into_iter().chain(new) {
            let Some(spec) = reading.spec(slot.version) else {
                continue;
            };
            let key = SlotKey::new(owner.clone(), slot.slot());
            let granted = granted.contains(&key.slot).then_some(&key);
            let host = candidates.place(slot.version, spec, given.get(&key.slot), granted);
            places.insert(slot.number, host);
        }
        places
    }

    /// Why slots of a service that have a host wait for a place there, if a limit or a pause keeps them from having one.
    pub(super) fn held_up(&self, reading: &Reading) -> BTreeMap<u32, String> {
        let Some(loads) = self.inner.loads.get() else {
            return BTreeMap::new();
        };
        let owner = Owner::Service(reading.name().to_owned());
        let placed = reading.places.iter().filter(|(_, host)| host.is_ok());
        let held_up = |number: u32| loads.held_up(&SlotKey::new(owner.clone(), Slot::numbered(number)));
        placed
            .filter_map(|(number, _)| Some((*number, held_up(*number)?)))
            .collect()
    }

    /// Shows as a condition why slots of a service have no host, while there are such.
    pub(super) fn show_unplaced(&self, reading: &Reading) {
        let mut conditions = self.unplaced();
        let reason = reading
            .places
            .iter()
            .find_map(|(slot, host)| Some((slot, host.as_ref().err()?)));
        let Some((slot, reason)) = reason else {
            conditions.remove(reading.name());
            return;
        };
        let name = condition(reading.name());
        let owned = conditions.entry(reading.name().to_owned());
        owned.or_insert_with(|| self.inner.conditions.own(&name));
        let remedy = "change `placement` of the service, or `name` and `roles` under [host]";
        self.inner
            .conditions
            .set_wrong(&name, format!("slot {slot} waits: {reason}; {remedy}"));
    }

    pub(super) fn unplaced(&self) -> MutexGuard<'_, BTreeMap<String, Owned>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.inner.unplaced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks these from now on what hosts carry. Until then all count as empty.
    pub(super) fn follow_loads(&self, loads: Arc<dyn HostLoads>) {
        // Set once, when the work begins.
        let _ = self.inner.loads.set(loads);
    }
}

fn condition(service: &str) -> String {
    format!("placement {service}")
}
