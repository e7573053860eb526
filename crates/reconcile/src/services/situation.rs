//! What the roller is asked.

use std::collections::BTreeMap;

use orchestrator_model::{EndpointState, Instance, ServiceSlot, ServiceState, SlotState};
use orchestrator_runtime::routers::{BALANCER, VIRTUAL_ADDRESSES};
use orchestrator_service::roll::{self, Failures, Removal, Target};
use orchestrator_service::{ServiceSpec, Strategy};
use orchestrator_store::ServiceSituation;

use super::Services;
use super::endpoints::instance_in;
use super::probe::own;

impl Services {
    /// The situation of a service for the roller.
    pub(super) fn roll_situation(
        &self,
        situation: &ServiceSituation,
        specs: &BTreeMap<u64, Option<ServiceSpec>>,
    ) -> roll::Situation {
        let service = &situation.service;
        let spec = specs.get(&service.version).and_then(Option::as_ref);
        let count = match service.state {
            ServiceState::Active => service.instances.unwrap_or_default(),
            ServiceState::Removing => 0,
        };
        let open = situation.slots.iter().filter(|slot| slot.state != SlotState::Closed);
        roll::Situation {
            now: self.inner.clock.now(),
            target: Target {
                version: service.version,
                count,
            },
            good: service.good_version,
            given_up: service.given_up,
            paused: service.paused.is_some() && service.state == ServiceState::Active,
            removal: match service.oldest_first {
                true => Removal::Oldest,
                false => Removal::Newest,
            },
            strategy: spec.map_or_else(Strategy::default, |spec| spec.strategy),
            failures: Failures {
                in_a_row: service.failures,
                last: service.failed_at,
            },
            applied: self.inner.routers.applied(),
            slots: open.map(|slot| self.slot_situation(situation, slot, specs)).collect(),
        }
    }

    fn slot_situation(
        &self,
        situation: &ServiceSituation,
        slot: &ServiceSlot,
        specs: &BTreeMap<u64, Option<ServiceSpec>>,
    ) -> roll::SlotSituation {
        let instance = instance_in(situation, slot);
        let (state, shown) = match slot.state {
            SlotState::Wanted => (roll::SlotState::Wanted, EndpointState::Serving),
            SlotState::Draining | SlotState::Closed => (roll::SlotState::Draining, EndpointState::Draining),
        };
        let spec = specs.get(&slot.version).and_then(Option::as_ref);
        // Nobody counts the connections of a service that is reached by its names alone.
        let routers = &self.inner.routers;
        let is_counted = spec.is_some_and(|spec| {
            (!spec.routes.is_empty() && routers.counts(BALANCER))
                || (!spec.listen.is_empty() && routers.counts(VIRTUAL_ADDRESSES))
        });
        let (name, number) = (&situation.service.name, slot.slot());
        let publisher = &self.inner.publisher;
        let published = publisher.begun(name, &number, shown).or_else(|| {
            // One that was never shown, or is no more, is led to by nobody who has a later snapshot.
            (state == roll::SlotState::Draining)
                .then(|| publisher.gone(name, &number))
                .flatten()
        });
        let connections = |instance: &Instance| self.inner.routers.connections(instance.id);
        roll::SlotSituation {
            number: slot.number,
            version: slot.version,
            state,
            opened: slot.opened,
            since: slot.since,
            phase: instance.map(|instance| instance.phase),
            attempts: instance.map_or(0, |instance| instance.attempts),
            health: own(instance.map_or(orchestrator_model::Health::Unknown, |instance| {
                slot.health_of(instance.id)
            })),
            off: instance.is_some_and(|instance| instance.times.off.is_some()),
            published,
            connections: instance.filter(|_| is_counted).map(connections),
            reason: instance
                .and_then(|instance| instance.reason.clone())
                .or_else(|| slot.detail.clone()),
        }
    }
}
