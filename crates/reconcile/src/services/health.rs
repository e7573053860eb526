//! What the checks say of the slots of a service, and which slots have ended.

use std::collections::BTreeSet;

use orchestrator_model::{EventKind, Health, Instance, InstanceId, NewEvent, Phase, ServiceSlot, SlotState};
use orchestrator_service::ServiceSpec;
use orchestrator_store::SlotChange;

use super::Services;
use super::probe::port_of;
use super::reading::Reading;

impl Services {
    /// What is to be recorded of the slots, because of their checks or because their instances are gone.
    pub(super) fn observe(&self, reading: &Reading) -> Vec<SlotChange> {
        let mut checked = BTreeSet::new();
        let mut changes = Vec::new();
        for slot in &reading.situation.slots {
            let instance = reading.instance_in(slot);
            if slot.state == SlotState::Closed {
                if instance.is_none() {
                    changes.push(gone(slot));
                }
                continue;
            }
            let spec = reading.spec(slot.version);
            let (health, detail) = match (instance.filter(|instance| is_up(instance)), spec) {
                (Some(instance), Some(spec)) => self.health(reading.name(), slot, instance, spec, &mut checked),
                (Some(instance), None) => (slot.health_of(instance.id), slot.detail.clone()),
                // What it has of a slot without an instance is why there was no host.
                (None, _) if instance.is_some() && slot.instance.is_none() => (Health::Unknown, None),
                (None, _) if instance.is_none() => (Health::Unknown, reading.unplaced(slot)),
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

    fn changed(
        &self,
        service: &str,
        slot: &ServiceSlot,
        instance: Option<&Instance>,
        health: Health,
        detail: Option<String>,
    ) -> Option<SlotChange> {
        let id = instance.map(|instance| instance.id);
        let waits = id.is_none().then(|| detail.clone()).flatten();
        let is_same = (slot.health, slot.instance) == (health, id);
        if is_same && (id.is_some() || slot.detail == detail) {
            return None;
        }
        let now = self.inner.clock.now();
        let mut after = slot.clone();
        (after.health, after.instance, after.detail) = (health, id, detail.clone());
        let served = |slot: &ServiceSlot| slot.state == SlotState::Wanted && slot.health == Health::Passing;
        if served(&after) != served(slot) {
            after.since = now;
        }
        let is_news = health != slot.health || (slot.instance != id && health != Health::Unknown);
        let of = instance.filter(|_| is_news);
        let event = of.map(|instance| NewEvent {
            detail: Some(in_words(slot, health, detail)),
            service: Some(service.to_owned()),
            ..instance.event(now, EventKind::HealthChanged)
        });
        let waits = waits.filter(|waits| slot.detail.as_ref() != Some(waits));
        let event = event.or_else(|| {
            Some(NewEvent {
                detail: Some(format!("slot {}: {}", slot.number, waits?)),
                service: Some(service.to_owned()),
                ..NewEvent::new(now, EventKind::InstanceWaiting)
            })
        });
        Some(SlotChange {
            slot: after,
            gone: false,
            event,
        })
    }
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
