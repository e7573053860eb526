//! Draining slots are closed: no router leads to them, and no connection is left or their time is over.

use orchestrator_model::Phase;

use super::board::Board;
use super::{Closed, SlotSituation, SlotState, Wait};
use crate::health::Health;

pub(super) fn close_drained(board: &mut Board<'_>) {
    let situation = board.situation;
    for slot in situation.slots.iter().filter(|slot| slot.state == SlotState::Draining) {
        if board.is_full() {
            break;
        }
        if !board.is_applied(slot) {
            board.wait(Wait::Unrouted { slot: slot.number });
            continue;
        }
        let until = slot.since.plus(situation.strategy.drain);
        match left(slot) {
            None | Some(1..) if situation.now < until => {
                board.wait(Wait::Connections {
                    slot: slot.number,
                    left: slot.connections,
                    until,
                });
                board.wake(until);
            }
            _ if is_empty(slot) => board.close(slot.number, Closed::Empty),
            Some(0) => board.close(slot.number, Closed::Drained),
            None | Some(_) => board.close(slot.number, Closed::Deadline),
        }
    }
}

fn is_empty(slot: &SlotSituation) -> bool {
    matches!(slot.phase, None | Some(Phase::Removed))
}

/// The connections that are left; `None` if that is unknown. An instance that never passed, or does not run, has none.
fn left(slot: &SlotSituation) -> Option<u64> {
    if is_empty(slot) {
        return Some(0);
    }
    let served = slot.health != Health::Unknown && slot.phase != Some(Phase::Pending);
    slot.connections.or(match served {
        true => None,
        false => Some(0),
    })
}
