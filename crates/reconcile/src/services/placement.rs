//! On which host the instance of each slot is placed, and what is shown of slots that no host can have.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use orchestrator_model::{HostId, Instance, Owner, Phase, ServiceSlot, ServiceState, Slot, SlotKey, SlotState};
use orchestrator_runtime::conditions::Owned;
use orchestrator_service::Placement;
use orchestrator_service::place::{Carried, KnownHost, NoHost, choose};
use orchestrator_settings::TemplateSettings;

use super::Services;
use super::board::Wanted;
use super::reading::Reading;
use crate::instance::Want;

/// The hosts of wanted slots that have no instance, or why there is none.
pub(super) type Places = BTreeMap<u32, Result<HostId, NoHost>>;

/// Answers how many instances of all owners a host carries.
pub trait HostLoads: Send + Sync + 'static {
    /// The instances that a host has promised a place, and whether its limits leave no room for an instance of this template in
    /// this slot. A place that the slot itself has does not count.
    fn load(&self, host: &HostId, slot: &SlotKey, template: &TemplateSettings) -> (u64, bool);
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
        let before = self.given(reading.name());
        let (given, new): (Vec<_>, Vec<_>) = empty.into_iter().partition(|slot| before.contains_key(&slot.slot()));
        for slot in given.into_iter().chain(new) {
            let Some(spec) = reading.spec(slot.version) else {
                continue;
            };
            let hosts = self.candidates(reading, slot, &spec.template, &places);
            let host = again(&spec.placement, &hosts, before.get(&slot.slot()));
            places.insert(slot.number, host);
        }
        places
    }

    /// The hosts that slots of a service were given when it was last read.
    fn given(&self, name: &str) -> BTreeMap<Slot, HostId> {
        let services = self.inner.board.services();
        let Some(Wanted::Slots(slots)) = services.get(name) else {
            return BTreeMap::new();
        };
        let given = slots.iter().filter_map(|(slot, want)| match want {
            Want::Fill { host, .. } => Some((slot.clone(), host.clone()?)),
            Want::Keep => None,
        });
        given.collect()
    }

    /// The hosts that this daemon has, with what each carries besides the slot, also by the places that were just given.
    fn candidates(
        &self,
        reading: &Reading,
        slot: &ServiceSlot,
        template: &TemplateSettings,
        places: &Places,
    ) -> Vec<(KnownHost, Carried)> {
        let key = SlotKey::new(Owner::Service(reading.name().to_owned()), slot.slot());
        let loads = self.inner.loads.get();
        let known = self.inner.known_hosts.borrow().clone();
        let carried = |host: &KnownHost| {
            let (all, is_full) = loads.map_or((0, false), |loads| loads.load(&host.id, &key, template));
            let mut carried = Carried {
                all,
                is_full,
                ..Carried::default()
            };
            for instance in reading
                .situation
                .instances
                .iter()
                .filter(|one| one.host.as_ref() == Some(&host.id))
            {
                carried.of_service += 1;
                carried.failing += u32::from(is_failing(instance));
            }
            let is_like = |other: &&ServiceSlot| other.version == slot.version && other.state == SlotState::Wanted;
            for other in reading.situation.slots.iter().filter(is_like) {
                let instance = reading.instance_in(other);
                if instance.is_some_and(|instance| instance.host.as_ref() == Some(&host.id)) {
                    carried.of_version += 1;
                }
                if matches!(places.get(&other.number), Some(Ok(placed)) if *placed == host.id) {
                    carried.add_one();
                }
            }
            carried
        };
        let own = known.iter().filter(|host| self.inner.hosts.contains(&host.id));
        own.map(|host| (host.clone(), carried(host))).collect()
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

/// Whether the host of an instance was tried and did not bring it up.
fn is_failing(instance: &Instance) -> bool {
    let is_coming = matches!(instance.phase, Phase::Pending | Phase::Starting);
    (is_coming && instance.reason.is_some()) || (instance.phase != Phase::Ready && instance.attempts > 0)
}

fn condition(service: &str) -> String {
    format!("placement {service}")
}

/// The host of a slot: the same as before while that may have it, unless it is full and another one is not.
fn again(placement: &Placement, hosts: &[(KnownHost, Carried)], before: Option<&HostId>) -> Result<HostId, NoHost> {
    let best = choose(placement, hosts)?;
    let find = |id: &HostId| hosts.iter().find(|(host, _)| host.id == *id);
    let is_full = |id: &HostId| find(id).is_some_and(|(_, carried)| carried.is_full);
    let kept = before.and_then(find).filter(|one| {
        let may_have_it = choose(placement, std::slice::from_ref(*one)).is_ok();
        may_have_it && (!one.1.is_full || is_full(&best.id))
    });
    Ok(kept.map_or(best, |(host, _)| host).id.clone())
}

#[cfg(test)]
mod tests {
    use orchestrator_model::HostState;

    use super::*;

    fn hosts(carried: [Carried; 2]) -> Vec<(KnownHost, Carried)> {
        let host = |name: &str| KnownHost {
            id: HostId::new(name),
            name: name.to_owned(),
            roles: Vec::new(),
            state: HostState::Active,
        };
        [host("a"), host("b")].into_iter().zip(carried).collect()
    }

    #[test]
    fn a_host_that_was_given_stays_unless_it_is_full_or_not_allowed_any_more() {
        let (before, placement) = (HostId::new("b"), Placement::default());
        let full = Carried {
            is_full: true,
            ..Carried::default()
        };
        let given = |carried, before| again(&placement, &hosts(carried), before).unwrap().to_string();
        let none = Carried::default();
        assert_eq!(given([none, none], None), "a");
        assert_eq!(given([none, none], Some(&before)), "b");
        assert_eq!(given([none, full], Some(&before)), "a");
        assert_eq!(given([full, full], Some(&before)), "b");
        let mut drained = hosts([full, none]);
        drained[1].0.state = HostState::Draining;
        assert_eq!(again(&placement, &drained, Some(&before)).unwrap().as_str(), "a");
    }
}
