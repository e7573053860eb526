//! Slots are opened: for those that are missing, and ahead of those that are to be replaced.

use super::board::Board;
use super::surplus::is_pausing;
use crate::RollOrder;

/// Opens slots until the wanted number is there. With stop-first, what leaves must be gone before.
pub(super) fn open_missing(board: &mut Board<'_>) {
    let situation = board.situation;
    // During a pause, the version that is known to serve fills the gap.
    let version = match situation.paused {
        true => situation.good.unwrap_or(situation.target.version),
        false => situation.target.version,
    };
    let stop_first = situation.strategy.order == RollOrder::StopFirst;
    while board.wanted_count() < board.count() && !board.is_full() {
        if stop_first && board.wanted_count() + board.leaving >= board.count() {
            return;
        }
        board.open(version);
    }
}

/// Opens slots of the target version ahead of the old ones that they replace.
pub(super) fn open_ahead(board: &mut Board<'_>) {
    if !board.rolls() || board.ahead() == 0 {
        return;
    }
    let most = board.count() + board.ahead();
    while board.wanted_count() + board.leaving < most && board.current_count() < board.count() && !board.is_full() {
        if is_pausing(board) {
            return;
        }
        board.open(board.situation.target.version);
    }
}
