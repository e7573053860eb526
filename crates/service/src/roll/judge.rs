//! Whether everything is as wanted.

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
    if !complete {
        return;
    }
    if situation.good != Some(target) && board.routed_count() > 0 {
        board.add(Move::Good { version: target });
    }
    if let Some(slot) = situation.closing.first() {
        board.wait(Wait::Removed { slot: *slot });
    }
    if board.leaving == 0 {
        board.settle();
    }
}
