//! What the roller decides from.

use std::collections::BTreeSet;

use orchestrator_model::{Phase, Timestamp};

use crate::Strategy;
use crate::health::Health;

/// A service with a number of instances, as it is recorded and seen at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Situation {
    /// The time of the daemon's clock.
    pub now: Timestamp,
    /// What is wanted.
    pub target: Target,
    /// The last version of which all instances served steadily, or the first that served; `None` if there was none yet.
    pub good: Option<u64>,
    /// The version that was given up and has no good version to go back to. It is tried again slowly.
    pub given_up: Option<u64>,
    /// Whether an operator paused the roll. Slots that are lost are still filled, by the good version.
    pub paused: bool,
    /// Which slots go first if there are too many.
    pub removal: Removal,
    /// The strategy of the target version.
    pub strategy: Strategy,
    /// The failures of the target version.
    pub failures: Failures,
    /// The number of the newest snapshot of endpoints that all routers have applied.
    pub applied: u64,
    /// The slots that are not closed, by number in any order.
    pub slots: Vec<SlotSituation>,
    /// The numbers of slots that are closed and whose instances are still there. They are not free.
    pub closing: BTreeSet<u32>,
}

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The version.
    pub version: u64,
    /// The number of instances.
    pub count: u32,
}

/// Which slots go first if there are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Removal {
    /// Those that were opened last.
    #[default]
    Newest,
    /// Those that were opened first (`--fifo`).
    Oldest,
}

/// Failures of instances of the target version, since the version was set or an instance of it last served
/// steadily.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Failures {
    /// How many there were in a row.
    pub in_a_row: u32,
    /// When the last one was recorded.
    pub last: Option<Timestamp>,
}

/// A slot of the service, and the instance in it.
#[derive(Debug, Clone, PartialEq)]
pub struct SlotSituation {
    /// Its number.
    pub number: u32,
    /// The version that it was opened for.
    pub version: u64,
    /// Whether it is wanted.
    pub state: SlotState,
    /// When it was opened.
    pub opened: Timestamp,
    /// When it last began or ceased to serve, or began to drain; when it was opened, if it never did.
    pub since: Timestamp,
    /// The phase of its instance; `None` if no instance is recorded, or the instance is removed.
    pub phase: Option<Phase>,
    /// The tries to bring its instance up that failed since it was last ready.
    pub attempts: u32,
    /// Its health; for one that drains, as it was when that began. Without a check in the service's file: passing.
    pub health: Health,
    /// Why no host can have its instance; `None` if one can, or it has one already.
    pub unplaced: Option<String>,
    /// The lifetime of its instance; `None` if that has none, or is pinned.
    pub life: Option<Life>,
    /// Whether an operator switched it off. Then it does not serve, and that is no failure.
    pub off: bool,
    /// The number of the first snapshot of endpoints that shows it as it is: serving, or draining. `None` until that
    /// snapshot is published.
    pub published: Option<u64>,
    /// The connections of a draining slot that are left. `None` if nobody counts them: then the deadline is waited for.
    pub connections: Option<u64>,
    /// Why it does not serve, for people, as far as that is known: the reason of its phase, or of its last check.
    pub reason: Option<String>,
}

/// From when to when an instance may be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// When it was made.
    pub from: Timestamp,
    /// When its time ends.
    pub until: Timestamp,
}

impl SlotSituation {
    /// Whether its instance serves: it is wanted, ready and healthy.
    pub fn serves(&self) -> bool {
        let ready = self.phase == Some(Phase::Ready) && self.health == Health::Passing;
        self.state == SlotState::Wanted && ready && !self.off
    }
}

/// Whether a slot is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SlotState {
    /// It is to be filled.
    Wanted,
    /// It is to end. Its instance stays until the slot is closed.
    Draining,
}
