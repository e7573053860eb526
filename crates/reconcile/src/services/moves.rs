//! What the roller decides, as it is recorded.

use std::collections::BTreeSet;

use orchestrator_model::{EventKind, NewEvent, ServiceSlot, SlotState, Timestamp};
use orchestrator_service::roll::{Cause, Closed, Move, Moves};
use orchestrator_store::{Failures, RollOutcome, ServiceSituation, ServiceUpdate, SlotChange};

use super::endpoints::instance_in;

/// What is recorded for these moves; `None` for none.
pub(super) fn update_for(situation: &ServiceSituation, moves: &Moves, now: Timestamp) -> Option<ServiceUpdate> {
    let is_over = moves.settled && situation.operation.is_some();
    if moves.moves.is_empty() && !is_over {
        return None;
    }
    let mut update = ServiceUpdate {
        service: situation.service.name.clone(),
        generation: situation.service.generation,
        slots: Vec::new(),
        failures: None,
        outcome: None,
        settled: is_over,
        at: now,
    };
    let mut taken = taken(situation);
    for one in &moves.moves {
        match one {
            Move::Open { slot, version } => {
                let number = free(&taken, *slot);
                taken.insert(number);
                let detail = format!("slot {number}, version {version}");
                let slot = ServiceSlot::open(number, *version, now);
                update
                    .slots
                    .push(change(situation, slot, EventKind::SlotOpened, detail, now));
            }
            Move::Drain { slot, cause } => {
                let detail = format!("slot {slot}: {}", why(cause));
                let slot = moved(situation, *slot, SlotState::Draining, now);
                let drained = slot.map(|slot| change(situation, slot, EventKind::SlotDraining, detail, now));
                update.slots.extend(drained);
            }
            Move::Close { slot, cause } => {
                let detail = format!("slot {slot}: {}", why_now(*cause));
                let slot = moved(situation, *slot, SlotState::Closed, now);
                let closed = slot.map(|slot| change(situation, slot, EventKind::SlotClosed, detail, now));
                update.slots.extend(closed);
            }
            Move::Failed { .. } => {
                let before = update
                    .failures
                    .map_or(situation.service.failures, |failures| failures.in_a_row);
                update.failures = Some(Failures {
                    in_a_row: before.saturating_add(1),
                    last: Some(now),
                });
            }
            Move::Recovered => {
                update.failures = Some(Failures {
                    in_a_row: 0,
                    last: None,
                });
            }
            Move::GiveUp {
                version,
                back_to,
                reason,
            } => {
                update.outcome = Some(RollOutcome::GaveUp {
                    version: *version,
                    back_to: *back_to,
                    reason: reason.clone(),
                });
            }
            Move::Good { version } => update.outcome = Some(RollOutcome::Good { version: *version }),
        }
    }
    Some(update)
}

/// The numbers that are not free: of all slots, and of instances that are still there.
fn taken(situation: &ServiceSituation) -> BTreeSet<u32> {
    let slots = situation.slots.iter().map(|slot| slot.number);
    let instances = situation.instances.iter();
    let filled = instances.filter_map(|instance| instance.slot.as_str().parse().ok());
    slots.chain(filled).collect()
}

/// This number if it is free, or else the lowest that is.
fn free(taken: &BTreeSet<u32>, wanted: u32) -> u32 {
    match taken.contains(&wanted) {
        false => wanted,
        true => (0..).find(|number| !taken.contains(number)).unwrap_or(wanted),
    }
}

fn moved(situation: &ServiceSituation, number: u32, state: SlotState, now: Timestamp) -> Option<ServiceSlot> {
    let slot = situation.slots.iter().find(|slot| slot.number == number)?;
    Some(ServiceSlot {
        state,
        since: now,
        ..slot.clone()
    })
}

fn change(
    situation: &ServiceSituation,
    slot: ServiceSlot,
    kind: EventKind,
    detail: String,
    now: Timestamp,
) -> SlotChange {
    let instance = instance_in(situation, &slot);
    let event = match instance {
        Some(instance) => instance.event(now, kind),
        None => NewEvent::new(now, kind),
    };
    SlotChange {
        slot,
        gone: false,
        event: Some(NewEvent {
            service: Some(situation.service.name.clone()),
            detail: Some(detail),
            ..event
        }),
    }
}

fn why(cause: &Cause) -> String {
    match cause {
        Cause::Replaced => "another version takes its place".to_owned(),
        Cause::Surplus => "there are more than wanted".to_owned(),
        Cause::Failed(reason) => format!("it failed: {reason}"),
    }
}

const fn why_now(cause: Closed) -> &'static str {
    match cause {
        Closed::Drained => "no connection is left",
        Closed::Deadline => "the time for its connections is over",
        Closed::Empty => "it has no instance",
    }
}
