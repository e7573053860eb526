//! The roller: which slot of a service is opened, drained or closed next.
//!
//! [`next`] is pure. Whoever runs it records all moves before acting on any, and asks again when anything of the
//! [`Situation`] changes, or at [`Moves::wake`].
//!
//! For each instance that is replaced (start-first): the new one is ready and passes its checks → every router leads to
//! it → the old one is drained: no router leads to it → it has no connections, or its deadline is over → it is closed.

mod back_off;
mod board;
mod close;
mod fail;
mod judge;
mod lifetime;
mod moves;
mod open;
mod situation;
mod surplus;

use board::Board;

pub use back_off::back_off;
pub use moves::{Cause, Closed, Move, Moves, Wait};
pub use situation::{Failures, Life, Removal, Situation, SlotSituation, SlotState, Target};

/// The moves that the situation calls for. Those of one answer belong together: they are recorded in one transaction.
///
/// Ask again with the moves recorded, until there are none: what one answer opens or closes may allow another move.
pub fn next(situation: &Situation) -> Moves {
    let mut board = Board::new(situation);
    close::close_drained(&mut board);
    if fail::replace_failed(&mut board) {
        // What follows is decided for the version that is gone back to.
        return board.into_moves();
    }
    surplus::drain_surplus(&mut board);
    open::open_missing(&mut board);
    open::open_ahead(&mut board);
    lifetime::wait_for_next(&mut board);
    judge::judge(&mut board);
    board.into_moves()
}
