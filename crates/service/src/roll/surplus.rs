//! Slots that are not needed any more are drained: too many, of another version, or about to end.

use std::cmp::Reverse;

use orchestrator_model::Timestamp;

use super::board::Board;
use super::{Cause, Removal, SlotSituation, Wait};
use crate::RollOrder;

pub(super) fn drain_surplus(board: &mut Board<'_>) {
    if board.situation.paused {
        board.wait(Wait::Resume);
    }
    drain_too_many(board);
    if board.rolls() {
        drain_old(board);
    }
}

/// Drains slots of the target version beyond the wanted number; during a pause, of any version, beyond those that a roll
/// may have besides.
fn drain_too_many(board: &mut Board<'_>) {
    let paused = board.situation.paused;
    let mixed = board.wanted.iter().any(|slot| !board.is_current(slot));
    let most = match paused && mixed {
        true => board.count() + board.ahead(),
        false => board.count(),
    };
    loop {
        let candidates = || {
            board
                .wanted
                .iter()
                .copied()
                .filter(|slot| paused || board.is_current(slot))
        };
        if candidates().count() <= most || board.is_full() {
            return;
        }
        // What does not serve is missed by nobody. Routers may still lead to one that serves again.
        let unrouted = candidates().filter(|slot| !slot.serves());
        let chosen = match unrouted.min_by_key(|slot| order(board, slot)) {
            Some(slot) => slot,
            None if board.routed_count() <= board.count() => return,
            None => match candidates().min_by_key(|slot| order(board, slot)) {
                Some(slot) => slot,
                None => return,
            },
        };
        board.drain(chosen.number, Cause::Surplus);
    }
}

/// Drains slots of other versions, and those whose instances end soon, as far as the promise allows.
fn drain_old(board: &mut Board<'_>) {
    let strategy = &board.situation.strategy;
    let stop_first = strategy.order == RollOrder::StopFirst;
    let promised = strategy.promised(board.situation.target.count) as usize;
    loop {
        let old = || board.wanted.iter().copied().filter(|slot| !board.is_current(slot));
        let unrouted = old().filter(|slot| !slot.serves());
        let unrouted = unrouted.min_by_key(|slot| order(board, slot));
        let routed = old().filter(|slot| board.is_routed(slot));
        let routed = routed.min_by_key(|slot| order(board, slot));
        let is_enough = match stop_first {
            true => board.wanted_count() > promised,
            false => board.routed_count() >= board.count() && board.wanted_count() > board.count(),
        };
        let chosen = match (unrouted, routed) {
            _ if board.is_full() => return,
            (Some(slot), _) if is_enough => slot,
            (_, Some(slot)) if board.routed_count() > promised => slot,
            _ => return,
        };
        if stop_first && is_pausing(board) {
            return;
        }
        let cause = match chosen.version == board.situation.target.version {
            true => Cause::Ends,
            false => Cause::Replaced,
        };
        board.drain(chosen.number, cause);
    }
}

/// The order in which slots go.
fn order(board: &Board<'_>, slot: &SlotSituation) -> (bool, Reverse<Timestamp>, Timestamp, Reverse<u32>) {
    let current = board.is_current(slot);
    match board.situation.removal {
        Removal::Newest => (current, Reverse(slot.opened), Timestamp(0), Reverse(slot.number)),
        Removal::Oldest => (current, Reverse(Timestamp(0)), slot.opened, Reverse(slot.number)),
    }
}

/// Whether the newest instance has not served for the strategy's pause yet.
pub(super) fn is_pausing(board: &mut Board<'_>) -> bool {
    let situation = board.situation;
    let serving = board
        .wanted
        .iter()
        .filter(|slot| board.is_current(slot) && slot.serves());
    let Some(newest) = serving.map(|slot| slot.since).max() else {
        return false;
    };
    let until = newest.plus(situation.strategy.pause);
    if situation.now >= until {
        return false;
    }
    board.wait(Wait::Pause { until });
    board.wake(until);
    true
}
