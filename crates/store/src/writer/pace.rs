//! Decides how long a transaction waits for more writes.
//!
//! A commit costs the same for many changes as for one. When many changes come, a short wait saves most of the commits,
//! and so the time that every caller waits. When few come, it saves nothing and only delays them.

use std::time::Duration;

use tokio::time::Instant;

/// The shortest time between the begins of two transactions while many changes come. Changes in between share the next
/// one.
const PERIOD: Duration = Duration::from_millis(3);

/// Callers that were answered together return within this time of one another.
const BURST: Duration = Duration::from_millis(1);

/// Changes are few if at most one comes in this time…
const SPACING: Duration = Duration::from_millis(5);

/// …or if they are ahead of that by at most this: eight at once.
const AHEAD: Duration = SPACING.saturating_mul(8);

/// After this time without changes, earlier bursts do not count any more.
const MEMORY: Duration = SPACING.saturating_mul(16);

/// The times of past transactions, and the numbers of their changes.
#[derive(Debug)]
pub(super) struct Pace {
    begun: Instant,
    /// The number of changes of the last transaction.
    last: usize,
    /// When the last change would have come, if all changes had come [`SPACING`] apart.
    spaced: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            begun: now,
            last: 0,
            spaced: now,
        }
    }

    /// Records that a transaction of so many changes begins.
    pub(super) fn begin(&mut self, changes: usize, now: Instant) {
        self.begun = now;
        self.last = changes;
        let changes = u32::try_from(changes).unwrap_or(u32::MAX);
        let spaced = self.spaced.max(now) + SPACING.saturating_mul(changes);
        self.spaced = spaced.min(now + MEMORY);
    }

    /// The time until which the next transaction waits. It has gathered this many changes since `since`.
    ///
    /// It waits longer while it has less than half of the last group: some callers of the last burst are still to
    /// return.
    pub(super) fn until(&self, changes: usize, since: Instant) -> Instant {
        if self.spaced <= since + AHEAD {
            return since;
        }
        let early = self.begun + PERIOD;
        if changes < self.last / 2 {
            early.max(since + BURST)
        } else {
            early
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pace after so many single changes, one each millisecond, and the present time.
    fn after(changes: u32) -> (Pace, Instant) {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        for _ in 0..changes {
            now += Duration::from_millis(1);
            pace.begin(1, now);
        }
        (pace, now)
    }

    #[test]
    fn few_do_not_wait() {
        let (pace, now) = after(1);
        assert_eq!(pace.until(1, now), now);
        let (pace, now) = after(8);
        assert_eq!(pace.until(1, now), now);
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        for _ in 0..1000 {
            assert_eq!(pace.until(1, now), now);
            pace.begin(1, now);
            now += SPACING;
        }
    }

    #[test]
    fn many_share_a_transaction_each_period() {
        let (pace, now) = after(100);
        assert_eq!(pace.until(1, now), now + PERIOD);
        assert_eq!(pace.until(1, now + PERIOD), now + PERIOD);
    }

    #[test]
    fn a_herd_is_waited_for_while_half_of_it_is_missing() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        pace.begin(128, now);
        let back = now + PERIOD * 2;
        assert_eq!(pace.until(63, back), back + BURST);
        assert_eq!(pace.until(64, back), now + PERIOD);
    }

    #[test]
    fn many_are_forgotten() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        pace.begin(usize::MAX, now);
        let later = now + MEMORY;
        assert_eq!(pace.until(1, later), later);
    }
}
