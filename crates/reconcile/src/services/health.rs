//! What the checks say of the slots of a service, and which slots have ended.

use std::collections::BTreeSet;

use orchestrator_model::{EventKind, Health, Instance, InstanceId, NewEvent, Phase, ServiceSlot, SlotState};
use orchestrator_service::ServiceSpec;
use orchestrator_store::{ServiceUpdate, SlotChange, Waits};

use super::Services;
use super::probe::port_of;
use super::reading::Reading;

/// How many slots without an instance one update changes at most: an update is one transaction, which is not to keep others
/// waiting. The next update goes on.
const AT_ONCE: usize = 100;

impl Services {
    /// The update that records what is seen of the slots, and what the operation waits for; `None` if all of it is recorded.
    pub(super) fn observed(&self, reading: &Reading) -> Option<ServiceUpdate> {
        let slots = self.observe(reading);
        let waits = waits(reading);
        if slots.is_empty() && waits.is_none() {
            return None;
        }
        Some(ServiceUpdate {
            service: reading.name().to_owned(),
            generation: reading.situation.service.generation,
            slots,
            failures: None,
            outcome: None,
            settled: false,
            waits,
            at: self.inner.clock.now(),
        })
    }

    /// What is to be recorded of the slots, because of their checks or because their instances are gone.
    fn observe(&self, reading: &Reading) -> Vec<SlotChange> {
        let (mut checked, mut told) = (BTreeSet::new(), told(reading));
        let (mut changes, mut of_empty) = (Vec::new(), 0);
        for slot in &reading.situation.slots {
            let instance = reading.instance_in(slot);
            if slot.state == SlotState::Closed {
                if instance.is_none() && of_empty < AT_ONCE {
                    changes.push(gone(slot));
                    of_empty += 1;
                }
                continue;
            }
            let Some(instance) = instance else {
                if of_empty < AT_ONCE
                    && let Some(change) = self.emptied(reading, slot, &mut told)
                {
                    changes.push(change);
                    of_empty += 1;
                }
                continue;
            };
            let spec = reading.spec(slot.version);
            // The health of one that drains stays what it was: whether it failed decides how long it may take.
            let is_wanted = slot.state == SlotState::Wanted;
            let (health, detail) = match (Some(instance).filter(|instance| is_up(instance)), spec) {
                _ if !is_wanted => (slot.health_of(instance.id), slot.detail.clone()),
                (Some(instance), Some(spec)) => self.health(reading.name(), slot, instance, spec, &mut checked),
                (Some(instance), None) => (slot.health_of(instance.id), slot.detail.clone()),
                // Before it had an instance, the slot said why there was no host.
                (None, _) if slot.instance.is_none() => (Health::Unknown, None),
                (None, _) => (Health::Unknown, slot.detail.clone()),
            };
            changes.extend(self.changed(reading.name(), slot, instance, health, detail));
        }
        self.inner.prober.keep(reading.name(), &checked);
        changes
    }

    fn health(
        &self,
        service: &str,
        slot: &ServiceSlot,
        instance: &Instance,
        spec: &ServiceSpec,
        checked: &mut BTreeSet<InstanceId>,
    ) -> (Health, Option<String>) {
        // Without a check, an instance is healthy while it is ready.
        let Some(check) = &spec.health else {
            return (Health::Passing, None);
        };
        let port = port_of(&check.probe).and_then(|name| spec.ports.get(name));
        checked.insert(instance.id);
        let (recorded, port) = (slot.health_of(instance.id), port.map(|port| port.number));
        self.inner.prober.check(service, instance, check, port, recorded)
    }

    /// What is recorded of a slot without an instance: what it waits for. `told` are the reasons why no host can have one that
    /// are in the timeline; that a limit holds it up was put there when its place was asked for.
    fn emptied(&self, reading: &Reading, slot: &ServiceSlot, told: &mut BTreeSet<String>) -> Option<SlotChange> {
        let detail = reading.waits_for(slot);
        if (slot.health, slot.instance, &slot.detail) == (Health::Unknown, None, &detail) {
            return None;
        }
        let event = reading.unplaced(slot).filter(|reason| told.insert(reason.clone()));
        let event = event.map(|reason| NewEvent {
            detail: Some(format!("instances wait: {reason}")),
            service: Some(reading.name().to_owned()),
            ..NewEvent::new(self.inner.clock.now(), EventKind::InstanceWaiting)
        });
        Some(SlotChange {
            slot: self.after(slot, Health::Unknown, None, detail),
            gone: false,
            event,
        })
    }

    fn changed(
        &self,
        service: &str,
        slot: &ServiceSlot,
        instance: &Instance,
        health: Health,
        detail: Option<String>,
    ) -> Option<SlotChange> {
        let id = Some(instance.id);
        if (slot.health, slot.instance) == (health, id) {
            return None;
        }
        let is_news = health != slot.health || health != Health::Unknown;
        let event = is_news.then(|| NewEvent {
            detail: Some(in_words(slot, health, detail.clone())),
            service: Some(service.to_owned()),
            ..instance.event(self.inner.clock.now(), EventKind::HealthChanged)
        });
        Some(SlotChange {
            slot: self.after(slot, health, id, detail),
            gone: false,
            event,
        })
    }

    /// A slot as it is from now on.
    fn after(
        &self,
        slot: &ServiceSlot,
        health: Health,
        instance: Option<InstanceId>,
        detail: Option<String>,
    ) -> ServiceSlot {
        let mut after = slot.clone();
        (after.health, after.instance, after.detail) = (health, instance, detail);
        let served = |slot: &ServiceSlot| slot.state == SlotState::Wanted && slot.health == Health::Passing;
        if served(&after) != served(slot) {
            after.since = self.inner.clock.now();
        }
        after
    }
}

/// What the operation on a service waits for, if its record does not say so.
fn waits(reading: &Reading) -> Option<Waits> {
    let places = reading.places.iter();
    let unplaced = places.filter_map(|(slot, host)| Some((slot, host.as_ref().err()?.to_string())));
    let held_up = reading.held_up.iter().map(|(slot, reason)| (slot, reason.clone()));
    let waits = unplaced
        .chain(held_up)
        .next()
        .map(|(slot, reason)| format!("slot {slot} waits: {reason}"));
    let operation = reading.situation.operation.as_ref()?;
    (operation.detail != waits).then_some(Waits(waits))
}

/// The reasons of slots that wait for a host, as they are in the timeline: each once, however many slots have it.
fn told(reading: &Reading) -> BTreeSet<String> {
    let empty = reading.situation.slots.iter().filter(|slot| slot.instance.is_none());
    empty.filter_map(|slot| slot.detail.clone()).collect()
}

/// Whether an instance can be checked.
fn is_up(instance: &Instance) -> bool {
    instance.phase == Phase::Ready && instance.times.off.is_none()
}

fn gone(slot: &ServiceSlot) -> SlotChange {
    SlotChange {
        slot: slot.clone(),
        gone: true,
        event: None,
    }
}

fn in_words(slot: &ServiceSlot, health: Health, detail: Option<String>) -> String {
    let number = slot.number;
    match detail {
        Some(detail) if health != Health::Passing => format!("slot {number} is {health}: {detail}"),
        _ => format!("slot {number} is {health}"),
    }
}
