//! Instances whose lifetime ends soon are replaced like those of another version: so none of them is missed when it ends.

use orchestrator_model::Timestamp;

use super::board::Board;
use super::{Situation, SlotSituation};

/// When a slot is to be replaced, if its instance has a lifetime: early enough that each of the service's instances may take
/// all the time that the strategy gives it, one group after the other, but not before half of the lifetime.
pub(super) fn due(situation: &Situation, slot: &SlotSituation) -> Option<Timestamp> {
    let life = slot.life?;
    let strategy = &situation.strategy;
    let groups = situation.target.count.div_ceil(strategy.surge.max(1));
    let ahead = (strategy.within + strategy.pause + strategy.drain).saturating_mul(groups);
    let half = life.until.since(life.from) / 2;
    Some(life.until.minus(ahead.min(half)))
}

/// Has the question asked again when the next instance is to be replaced.
pub(super) fn wait_for_next(board: &mut Board<'_>) {
    let situation = board.situation;
    let all = board.wanted.iter().filter_map(|slot| due(situation, slot));
    if let Some(next) = all.filter(|due| *due > situation.now).min() {
        board.wake(next);
    }
}
