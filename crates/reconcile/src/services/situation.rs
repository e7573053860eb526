//! What the roller is asked.

use std::collections::BTreeSet;

use orchestrator_model::{EndpointState, Health, Instance, ServiceSlot, ServiceState, SlotState};
use orchestrator_runtime::routers::{BALANCER, VIRTUAL_ADDRESSES};
use orchestrator_service::Strategy;
use orchestrator_service::roll::{self, Failures, Life, Removal, Target};
use orchestrator_store::ServiceSituation;

use super::Services;
use super::probe::own;
use super::reading::Reading;

impl Services {
    /// The situation of a service for the roller.
    ///
    /// One that is being removed has no version that could be good or fail any more: all of its slots go.
    pub(super) fn roll_situation(&self, reading: &Reading) -> roll::Situation {
        let situation = &reading.situation;
        let service = &situation.service;
        let is_active = service.state == ServiceState::Active;
        let count = service.instances.filter(|_| is_active).unwrap_or_default();
        let open = situation.slots.iter().filter(|slot| slot.state != SlotState::Closed);
        roll::Situation {
            now: self.inner.clock.now(),
            target: Target {
                version: service.version,
                count,
            },
            good: match is_active {
                true => service.good_version,
                false => Some(service.version),
            },
            given_up: service.given_up,
            paused: service.paused.is_some() && is_active,
            removal: match service.oldest_first {
                true => Removal::Oldest,
                false => Removal::Newest,
            },
            strategy: reading.target().map_or_else(Strategy::default, |spec| spec.strategy),
            failures: Failures {
                in_a_row: service.failures,
                last: service.failed_at,
            },
            applied: self.inner.routers.applied(),
            slots: open.map(|slot| self.slot_situation(reading, slot)).collect(),
            closing: closing(situation),
        }
    }

    fn slot_situation(&self, reading: &Reading, slot: &ServiceSlot) -> roll::SlotSituation {
        let instance = reading.instance_in(slot);
        let (state, shown) = match slot.state {
            SlotState::Wanted => (roll::SlotState::Wanted, EndpointState::Serving),
            SlotState::Draining | SlotState::Closed => (roll::SlotState::Draining, EndpointState::Draining),
        };
        let spec = reading.spec(slot.version);
        // Nobody counts the connections of a service that is reached by its names alone.
        let routers = &self.inner.routers;
        let is_counted = spec.is_some_and(|spec| {
            (!spec.routes.is_empty() && routers.counts(BALANCER))
                || (!spec.listen.is_empty() && routers.counts(VIRTUAL_ADDRESSES))
        });
        let (name, number) = (reading.name(), slot.slot());
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
            since: match instance {
                // Its time to serve begins when it is made, however long the slot waited for a host.
                Some(instance) if slot.health_of(instance.id) != Health::Passing => slot.since.max(instance.created),
                _ => slot.since,
            },
            phase: instance.map(|instance| instance.phase),
            unplaced: reading.unplaced(slot),
            attempts: instance.map_or(0, |instance| instance.attempts),
            health: own(instance.map_or(Health::Unknown, |instance| slot.health_of(instance.id))),
            life: instance
                .filter(|instance| instance.times.pinned.is_none())
                .and_then(life),
            off: instance.is_some_and(|instance| instance.times.off.is_some()),
            published,
            connections: instance.filter(|_| is_counted).map(connections),
            reason: self.reason(slot, instance),
        }
    }

    /// Why a slot does not serve: what keeps its instance from being ready, or what its last failed check found. A check that
    /// never passed is not recorded.
    fn reason(&self, slot: &ServiceSlot, instance: Option<&Instance>) -> Option<String> {
        let of_phase = instance.and_then(|instance| instance.reason.clone());
        let of_check = || self.inner.prober.detail(instance?.id);
        of_phase.or_else(of_check).or_else(|| slot.detail.clone())
    }
}

fn life(instance: &Instance) -> Option<Life> {
    Some(Life {
        from: instance.created,
        until: instance.times.until?,
    })
}

/// The numbers of closed slots, and of instances in no slot: as long as one is there, its number is not free.
fn closing(situation: &ServiceSituation) -> BTreeSet<u32> {
    let open = situation.slots.iter().filter(|slot| slot.state != SlotState::Closed);
    let open: BTreeSet<u32> = open.map(|slot| slot.number).collect();
    let closed = situation.slots.iter().map(|slot| slot.number);
    let instances = situation.instances.iter();
    let filled = instances.filter_map(|instance| instance.slot.as_str().parse().ok());
    closed.chain(filled).filter(|number| !open.contains(number)).collect()
}
