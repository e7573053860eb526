//! Whether everything is as wanted.

use super::back_off::steady;
use super::board::Board;
use super::{Move, Wait};

pub(super) fn judge(board: &mut Board<'_>) {
    let situation = board.situation;
    let target = situation.target.version;
    let mut complete = board.opened.is_empty() && board.wanted.len() == board.count();
    for slot in board.wanted.clone() {
        let served = board.is_routed(slot) || slot.off;
        complete &= served && board.is_current(slot);
        if slot.serves() && !served {
            board.wait(Wait::Routed { slot: slot.number });
        }
    }
    // This answer may count a failure that the situation does not have yet. The next answer judges the version with it.
    if !complete || board.counts_failure() {
        return;
    }
    let newest = board
        .wanted
        .iter()
        .filter(|slot| slot.serves())
        .map(|slot| slot.since)
        .max();
    if let Some(newest) = newest.filter(|_| situation.good != Some(target)) {
        // A first version that has not failed is better than none to go back to.
        let is_first = situation.good.is_none() && situation.given_up.is_none() && situation.failures.in_a_row == 0;
        let until = match is_first {
            true => newest,
            false => newest.plus(steady(situation)),
        };
        match situation.now < until {
            true => board.wake(until),
            false => board.add(Move::Good { version: target }),
        }
    }
    if let Some(slot) = situation.closing.first() {
        board.wait(Wait::Removed { slot: *slot });
    }
    if board.leaving == 0 {
        board.settle();
    }
}
