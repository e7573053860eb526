//! Waiting for a condition, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long to leave the world alone between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until there is something to see, and returns it. `what` finishes the sentence "waited for …".
///
/// # Errors
///
/// When there was nothing within `limit`. The condition is looked at once more after that.
pub fn poll<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        let last = Instant::now() >= deadline;
        if let Some(seen) = look() {
            return Ok(seen);
        }
        if last {
            bail!("waited {:.1} s for {what}, in vain", limit.as_secs_f64());
        }
        thread::sleep(PAUSE);
    }
}

/// [`poll`] for tests.
///
/// # Panics
///
/// When there was nothing within `limit`.
#[track_caller]
pub fn wait_for<T>(what: &str, limit: Duration, look: impl FnMut() -> Option<T>) -> T {
    match poll(what, limit, look) {
        Ok(seen) => seen,
        Err(fault) => panic!("{fault}"),
    }
}
