//! What the roller decides, as it is recorded.

use orchestrator_model::{EventKind, NewEvent, ServiceSlot, ServiceState, SlotState, Timestamp};
use orchestrator_service::roll::{Cause, Closed, Move, Moves};
use orchestrator_store::{Failures, RollOutcome, ServiceSituation, ServiceUpdate, SlotChange};

use super::reading::Reading;

/// What is recorded for these moves; `None` for none.
///
/// The operation that runs is over when all is as wanted. A removal is not over before the service is forgotten.
pub(super) fn update_for(reading: &Reading, moves: &Moves, now: Timestamp) -> Option<ServiceUpdate> {
    let situation = &reading.situation;
    let is_active = situation.service.state == ServiceState::Active;
    let is_over = moves.settled && is_active && situation.operation.is_some();
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
        waits: None,
        at: now,
    };
    for one in &moves.moves {
        match one {
            Move::Open { slot, version } => {
                let detail = format!("slot {slot}, version {version}");
                let slot = ServiceSlot::open(*slot, *version, now);
                update
                    .slots
                    .push(change(reading, slot, EventKind::SlotOpened, detail, now));
            }
            Move::Drain { slot, cause } => {
                let detail = format!("slot {slot}: {}", why(cause));
                let slot = moved(situation, *slot, SlotState::Draining, now);
                let drained = slot.map(|slot| change(reading, slot, EventKind::SlotDraining, detail, now));
                update.slots.extend(drained);
            }
            Move::Close { slot, cause } => {
                let detail = format!("slot {slot}: {}", why_now(*cause));
                let slot = moved(situation, *slot, SlotState::Closed, now);
                let closed = slot.map(|slot| change(reading, slot, EventKind::SlotClosed, detail, now));
                update.slots.extend(closed);
            }
            Move::Failed { in_a_row, .. } => {
                update.failures = Some(Failures {
                    in_a_row: *in_a_row,
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

fn moved(situation: &ServiceSituation, number: u32, state: SlotState, now: Timestamp) -> Option<ServiceSlot> {
    let slot = situation.slots.iter().find(|slot| slot.number == number)?;
    Some(ServiceSlot {
        state,
        since: now,
        ..slot.clone()
    })
}

fn change(reading: &Reading, slot: ServiceSlot, kind: EventKind, detail: String, now: Timestamp) -> SlotChange {
    let instance = reading.instance_in(&slot);
    let event = match instance {
        Some(instance) => instance.event(now, kind),
        None => NewEvent::new(now, kind),
    };
    SlotChange {
        slot,
        gone: false,
        event: Some(NewEvent {
            service: Some(reading.name().to_owned()),
            detail: Some(detail),
            ..event
        }),
    }
}

fn why(cause: &Cause) -> String {
    match cause {
        Cause::Replaced => "another version takes its place".to_owned(),
        Cause::Ends => "its lifetime ends soon, and another takes its place".to_owned(),
        Cause::Surplus => "there are more than wanted".to_owned(),
        Cause::Failed(reason) => format!("it failed: {reason}"),
    }
}

const fn why_now(cause: Closed) -> &'static str {
    match cause {
        Closed::Drained => "no connection is left",
        Closed::Deadline => "the time for its connections is over",
        Closed::Empty => "it has no instance",
        Closed::Room => "its instance failed, and another needs its place",
    }
}
