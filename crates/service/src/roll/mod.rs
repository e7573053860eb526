//! The roller: which slot of a service is opened, drained or closed next.
//!
//! [`next`] is pure. Whoever runs it records all moves before acting on any, and asks again when anything of the
//! [`Situation`] changes, or at [`Moves::wake`].
//!
//! For each instance that is replaced (start-first): the new one is ready and passes its checks → every router leads to
//! it → the old one is drained: no router leads to it → it has no connections, or its deadline is over → it is closed.

mod moves;
mod situation;

pub use moves::{Cause, Closed, Move, Moves, Wait};
pub use situation::{Failures, Removal, Situation, SlotSituation, SlotState, Target};

/// The moves that the situation calls for. Those of one answer belong together: they are recorded in one transaction.
///
/// With its moves recorded, the same situation has no further moves.
pub fn next(situation: &Situation) -> Moves {
    let _ = situation;
    Moves::default()
}
