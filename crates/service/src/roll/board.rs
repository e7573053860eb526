//! The slots while one answer is made: later rules see the moves of earlier ones.

use std::collections::BTreeSet;

use orchestrator_model::Timestamp;

use super::lifetime::due;
use super::{Cause, Closed, Move, Moves, Situation, SlotSituation, SlotState, Wait};
use crate::RollOrder;

/// How many slots one answer opens, drains or closes at most: an answer is recorded in one transaction, which is not to keep
/// others waiting. The next answer goes on.
const AT_ONCE: usize = 100;

/// The slots, and the moves so far.
pub(super) struct Board<'s> {
    pub(super) situation: &'s Situation,
    /// The wanted slots that were there before this answer.
    pub(super) wanted: Vec<&'s SlotSituation>,
    /// The versions of the slots that this answer opens.
    pub(super) opened: Vec<u64>,
    /// The numbers of slots that are not free.
    taken: BTreeSet<u32>,
    /// No number below this one is free.
    free_from: u32,
    /// The draining slots that this answer closes.
    closed: BTreeSet<u32>,
    /// How many slots drain or still have an instance that is being removed, with those of this answer.
    pub(super) leaving: usize,
    moves: Moves,
}

impl<'s> Board<'s> {
    pub(super) fn new(situation: &'s Situation) -> Self {
        let wanted = situation.slots.iter().filter(|slot| slot.state == SlotState::Wanted);
        let wanted: Vec<&SlotSituation> = wanted.collect();
        Self {
            leaving: situation.slots.len() - wanted.len() + situation.closing.len(),
            wanted,
            opened: Vec::new(),
            closed: BTreeSet::new(),
            free_from: 0,
            taken: taken(situation),
            moves: Moves::default(),
            situation,
        }
    }

    pub(super) fn into_moves(self) -> Moves {
        self.moves
    }

    /// How many slots are wanted, with those that this answer opens.
    pub(super) fn wanted_count(&self) -> usize {
        self.wanted.len() + self.opened.len()
    }

    /// How many slots are to be wanted.
    pub(super) fn count(&self) -> usize {
        self.situation.target.count as usize
    }

    /// How many slots may exist, with those that drain and those whose instances are being removed.
    pub(super) fn most(&self) -> usize {
        self.count() + self.ahead()
    }

    /// How many slots are closed and keep their places until their instances are gone.
    pub(super) fn closing(&self) -> usize {
        self.situation.closing.len() + self.closed.len()
    }

    /// How many slots more than [`count`](Self::count) may exist.
    pub(super) fn ahead(&self) -> usize {
        match self.situation.strategy.order {
            RollOrder::StartFirst => self.situation.strategy.surge as usize,
            RollOrder::StopFirst => 0,
        }
    }

    /// Whether a slot has the target version, and its instance's lifetime does not end soon.
    pub(super) fn is_current(&self, slot: &SlotSituation) -> bool {
        let is_due = due(self.situation, slot).is_some_and(|due| due <= self.situation.now);
        slot.version == self.situation.target.version && !is_due
    }

    /// Whether wanted slots that are not current are to be replaced now.
    pub(super) fn rolls(&self) -> bool {
        !self.situation.paused && self.wanted.iter().any(|slot| !self.is_current(slot))
    }

    /// How many wanted slots are current.
    pub(super) fn current_count(&self) -> usize {
        let opened = self
            .opened
            .iter()
            .filter(|version| **version == self.situation.target.version);
        self.wanted.iter().filter(|slot| self.is_current(slot)).count() + opened.count()
    }

    /// Whether the slot serves and all routers lead to it.
    pub(super) fn is_routed(&self, slot: &SlotSituation) -> bool {
        slot.serves() && self.is_applied(slot)
    }

    /// Whether all routers have applied the present state of the slot.
    pub(super) fn is_applied(&self, slot: &SlotSituation) -> bool {
        slot.published
            .is_some_and(|published| published <= self.situation.applied)
    }

    /// How many wanted slots serve with all routers leading to them.
    pub(super) fn routed_count(&self) -> usize {
        self.wanted.iter().filter(|slot| self.is_routed(slot)).count()
    }

    pub(super) fn add(&mut self, next: Move) {
        self.moves.moves.push(next);
    }

    /// Whether this answer counts a failure.
    pub(super) fn counts_failure(&self) -> bool {
        self.moves.moves.iter().any(|one| matches!(one, Move::Failed { .. }))
    }

    /// Whether this answer has as many moves as one may have.
    pub(super) fn is_full(&self) -> bool {
        self.moves.moves.len() >= AT_ONCE
    }

    pub(super) fn open(&mut self, version: u64) {
        let slot = (self.free_from..).find(|number| !self.taken.contains(number));
        let slot = slot.unwrap_or(u32::MAX);
        self.free_from = slot.saturating_add(1);
        self.taken.insert(slot);
        self.opened.push(version);
        self.add(Move::Open { slot, version });
    }

    pub(super) fn drain(&mut self, slot: u32, cause: Cause) {
        self.wanted.retain(|wanted| wanted.number != slot);
        self.leaving += 1;
        self.add(Move::Drain { slot, cause });
    }

    /// Closes a slot. Its number is free when its instance is gone.
    pub(super) fn close(&mut self, slot: u32, cause: Closed) {
        self.closed.insert(slot);
        self.add(Move::Close { slot, cause });
    }

    /// Whether this answer closes the slot.
    pub(super) fn closes(&self, slot: u32) -> bool {
        self.closed.contains(&slot)
    }

    pub(super) fn wait(&mut self, wait: Wait) {
        self.moves.waits.push(wait);
    }

    /// Asks again at this moment at the latest.
    pub(super) fn wake(&mut self, at: Timestamp) {
        self.moves.wake = Some(self.moves.wake.map_or(at, |wake| wake.min(at)));
    }

    pub(super) fn settle(&mut self) {
        self.moves.settled = self.moves.moves.is_empty();
    }
}

/// The numbers that are not free.
fn taken(situation: &Situation) -> BTreeSet<u32> {
    let open = situation.slots.iter().map(|slot| slot.number);
    open.chain(situation.closing.iter().copied()).collect()
}
