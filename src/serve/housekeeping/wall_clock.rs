//! Says when somebody set the wall clock: lifetimes go on by the daemon's own, times are shown by it.

use std::time::Duration;

use async_trait::async_trait;

use crate::serve::Context;
use orchestrator_model::Clock;
use orchestrator_reconcile::driver::{Failure, Next, Reconciler, Registration, Run};

const PERIOD: Duration = Duration::from_secs(10);
/// A wall clock that is further off than this was set, not slewed. In milliseconds.
const STEP: i64 = 5_000;

pub(super) fn registration() -> Registration {
    Registration::new("wall clock", "says when somebody set the wall clock").every(PERIOD)
}

/// Compares the clocks.
pub(super) struct WallClock {
    clock: Clock,
    /// The offset that was last said, in milliseconds.
    known: i64,
}

impl WallClock {
    pub(super) fn new(context: &Context) -> Self {
        Self {
            clock: context.clock,
            known: 0,
        }
    }
}

#[async_trait]
impl Reconciler for WallClock {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let offset = self.clock.wall_offset();
        if (offset - self.known).abs() > STEP {
            tracing::warn!(
                offset_ms = offset,
                "the wall clock was set; leases keep the lifetimes that clients were promised, and times are shown by the daemon's own clock until it restarts"
            );
            self.known = offset;
        }
        Ok(Next::Wait)
    }
}
