//! The pause between a failure and the next replacement.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);

/// The pause after this many failures in a row: none, then a second, twice as long after each further one, at most five
/// minutes.
pub fn back_off(failures: u32) -> Duration {
    let Some(doublings) = failures.checked_sub(1) else {
        return Duration::ZERO;
    };
    let factor = 1_u32.checked_shl(doublings.min(31)).unwrap_or(u32::MAX);
    SHORTEST.saturating_mul(factor).min(LONGEST)
}
