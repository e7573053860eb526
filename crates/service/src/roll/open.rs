//! Slots are opened: for those that are missing, and ahead of those that are to be replaced.

use super::board::Board;
use super::close::make_room;
use super::surplus::is_pausing;

/// Opens slots until the wanted number is there. A slot that leaves counts until it is gone: there are never more than the wanted
/// number and those ahead of it, however fast instances fail.
pub(super) fn open_missing(board: &mut Board<'_>) {
    let situation = board.situation;
    // During a pause, the version that is known to serve fills the gap.
    let version = match situation.paused {
        true => situation.good.unwrap_or(situation.target.version),
        false => situation.target.version,
    };
    while board.wanted_count() < board.count() && !board.is_full() {
        if board.wanted_count() + board.leaving >= board.most() {
            return make_room(board);
        }
        board.open(version);
    }
}

/// Opens slots of the target version ahead of the old ones that they replace.
pub(super) fn open_ahead(board: &mut Board<'_>) {
    if !board.rolls() || board.ahead() == 0 {
        return;
    }
    while board.wanted_count() + board.leaving < board.most()
        && board.current_count() < board.count()
        && !board.is_full()
    {
        if is_pausing(board) {
            return;
        }
        board.open(board.situation.target.version);
    }
}
