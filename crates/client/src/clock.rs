//! The client's clock: the wall clock at the start, continued by a clock that also counts while the machine sleeps. So
//! leases end on time after a sleep, and setting the wall clock does not move their ends.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use orchestrator_model::Timestamp;

/// The clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    wall: Timestamp,
    started: Duration,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            wall: Timestamp::wall(),
            started: since_boot(),
        }
    }

    /// Milliseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.wall.plus(since_boot().saturating_sub(self.started)).0
    }

    /// The time until a moment of this clock.
    pub(super) fn until(&self, moment: i64) -> Duration {
        Timestamp(moment).since(Timestamp(self.now()))
    }
}

/// The kernel has had this clock for longer than namespaces, so the call does not fail.
fn since_boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}
