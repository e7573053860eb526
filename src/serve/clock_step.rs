//! A wall clock that was set while no daemon ran: recorded ends are moved by as much, before anything reads them.

use std::fs;
use std::time::Duration;

use orchestrator_model::ClockAnchor;
use orchestrator_store::{Store, StoreError};

use super::Context;

/// The kernel's id of the present boot.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";
/// The time since then, sleep included: seconds with two decimals, and another number.
const UPTIME: &str = "/proc/uptime";

/// Compares the clock with that of the run before.
///
/// # Errors
///
/// When the database does not answer.
pub(super) async fn follow(context: &Context, store: &Store) -> Result<(), StoreError> {
    let (boot, uptime) = match (fs::read_to_string(BOOT), uptime()) {
        (Ok(boot), Some(uptime)) => (boot, uptime),
        _ => {
            // Like another boot: the clock is at least not taken to be earlier than what was recorded.
            tracing::warn!(
                "the kernel does not say how long the machine runs: a wall clock that is set forward between two runs is not noticed"
            );
            (String::new(), Duration::ZERO)
        }
    };
    let now = context.clock.now();
    let boot = match boot.trim() {
        "" => format!("unknown-{}", now.0),
        boot => boot.to_owned(),
    };
    let step = store.follow_clock(ClockAnchor::new(&boot, uptime, now), now).await?;
    if step != 0 {
        tracing::warn!(
            step_ms = step,
            "the wall clock was set since the daemon last ran; leases and instances keep the time that they had left"
        );
    }
    Ok(())
}

fn uptime() -> Option<Duration> {
    let text = fs::read_to_string(UPTIME).ok()?;
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}
