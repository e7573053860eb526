//! The pause between a failure and the next replacement, and the time after which failures are forgotten.

use std::time::Duration;

use super::Situation;

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

/// How long instances must have served until the failures are forgotten and the version is good: an instance that lives
/// for less than the pause that is due, or less than the strategy's steady time, proves nothing.
pub(super) fn steady(situation: &Situation) -> Duration {
    back_off(situation.failures.in_a_row).max(situation.strategy.steady)
}
