//! The clock of the daemons under test: it goes with tokio's, which a test pauses.

use std::cell::Cell;

use orchestrator_model::{Clock, Timestamp};
use tokio::time::Instant;

thread_local! {
    static START: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// What the clock says at the beginning of a test.
const BEGIN: i64 = 1_700_000_000_000;

/// Begins anew: each test has a runtime of its own.
pub(crate) fn begin() {
    START.set(Some(Instant::now()));
}

pub(crate) fn now() -> Timestamp {
    let start = START.get().expect("the test has begun");
    Timestamp(BEGIN).plus(start.elapsed())
}

pub(crate) fn clock() -> Clock {
    Clock::given(now)
}
