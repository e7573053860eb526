//! What the checks say of the slots of a service, and which slots have ended.

use std::collections::{BTreeMap, BTreeSet};

use orchestrator_model::{EventKind, Health, Instance, NewEvent, Phase, ServiceSlot, SlotState};
use orchestrator_service::ServiceSpec;
use orchestrator_store::{ServiceSituation, SlotChange};

use super::Services;
use super::endpoints::instance_in;
use super::probe::port_of;

impl Services {
    /// What is to be recorded of the slots, because of their checks or because their instances are gone.
    pub(super) fn observe(
        &self,
        situation: &ServiceSituation,
        specs: &BTreeMap<u64, Option<ServiceSpec>>,
    ) -> Vec<SlotChange> {
        let mut checked = BTreeSet::new();
        let mut changes = Vec::new();
        for slot in &situation.slots {
            let instance = instance_in(situation, slot);
            if slot.state == SlotState::Closed {
                if instance.is_none() {
                    changes.push(gone(slot));
                }
                continue;
            }
            let spec = specs.get(&slot.version).and_then(Option::as_ref);
            let (health, detail) = match (instance.filter(|instance| is_up(instance)), spec) {
                (Some(instance), Some(spec)) => self.health(situation, slot, instance, spec, &mut checked),
                (Some(instance), None) => (slot.health_of(instance.id), slot.detail.clone()),
                (None, _) => (Health::Unknown, slot.detail.clone()),
            };
            changes.extend(self.changed(situation, slot, instance, health, detail));
        }
        self.inner.prober.keep(&situation.service.name, &checked);
        changes
    }

    fn health(
        &self,
        situation: &ServiceSituation,
        slot: &ServiceSlot,
        instance: &Instance,
        spec: &ServiceSpec,
        checked: &mut BTreeSet<orchestrator_model::InstanceId>,
    ) -> (Health, Option<String>) {
        // Without a check, an instance is healthy while it is ready.
        let Some(check) = &spec.health else {
            return (Health::Passing, None);
        };
        let port = port_of(&check.probe).and_then(|name| spec.ports.get(name));
        checked.insert(instance.id);
        let (service, recorded) = (&situation.service.name, slot.health_of(instance.id));
        let port = port.map(|port| port.number);
        self.inner.prober.check(service, instance, check, port, recorded)
    }

    fn changed(
        &self,
        situation: &ServiceSituation,
        slot: &ServiceSlot,
        instance: Option<&Instance>,
        health: Health,
        detail: Option<String>,
    ) -> Option<SlotChange> {
        let id = instance.map(|instance| instance.id);
        if (slot.health, slot.instance) == (health, id) {
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
            service: Some(situation.service.name.clone()),
            ..instance.event(now, EventKind::HealthChanged)
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
