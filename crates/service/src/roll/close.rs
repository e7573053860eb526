//! Draining slots are closed: no router leads to them, and no connection is left, or their time is over, or their instances
//! failed and others need their places.

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

/// Closes draining slots whose instances failed, as many as keep missing ones from their places. One that serves is never
/// waited for by what does not.
pub(super) fn make_room(board: &mut Board<'_>) {
    let situation = board.situation;
    let needed = (board.count() + board.leaving).saturating_sub(board.most());
    let mut needed = needed.saturating_sub(board.closing());
    let draining = situation.slots.iter().filter(|slot| slot.state == SlotState::Draining);
    let mut failed: Vec<&SlotSituation> = draining.filter(|slot| slot.health != Health::Passing).collect();
    failed.sort_by_key(|slot| (slot.since, slot.number));
    for slot in failed {
        if needed == 0 || board.is_full() {
            return;
        }
        if board.is_applied(slot) && !board.closes(slot.number) {
            board.close(slot.number, Closed::Room);
            needed -= 1;
        }
    }
}

fn is_empty(slot: &SlotSituation) -> bool {
    matches!(slot.phase, None | Some(Phase::Removed))
}

/// The connections that are left; `None` if that is unknown. An instance that never passed, or does not run, has none: what a
/// router still counts of it is broken.
fn left(slot: &SlotSituation) -> Option<u64> {
    let runs = matches!(slot.phase, Some(Phase::Starting | Phase::Ready | Phase::Ending));
    match slot.health {
        _ if !runs => Some(0),
        Health::Unknown => slot.connections.or(Some(0)),
        Health::Passing | Health::Failing => slot.connections,
    }
}
