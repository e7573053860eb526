//! Back-off for repairs of something that another program changes again and again.
//!
//! ```text
//!   mended ──▶ changed again ──▶ mended at once, a few times ──▶ contended: after 1, 2, 4 … 60 seconds
//!      ▲                                                                │
//!      └───────────────── nobody changed it for a minute ◀─────────────┘
//! ```
//! The first changes are most likely one event: a network manager that restarts, or an interface that goes down and up.
//! A program that undoes every repair wants something else. Then the two must not keep the machine busy.

use std::time::Duration;

use tokio::time::Instant;

/// The number of repairs that are made at once.
const AT_ONCE: u32 = 3;
/// The first pause after these. It doubles with each repair.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The time without a change after which the next change counts as the first.
const CALM: Duration = Duration::from_secs(60);

/// The recent changes and repairs of one thing.
#[derive(Debug, Default)]
pub struct Contention {
    /// The number of repairs since it was last calm.
    repairs: u32,
    /// When the next repair may be made, and when it counts as calm; `None` before the first repair.
    last: Option<Last>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    next: Instant,
    calm: Instant,
}

impl Contention {
    /// When the next repair may be made.
    pub fn next(&self) -> Instant {
        let now = Instant::now();
        self.last.map_or(now, |last| last.next.max(now))
    }

    /// Whether a repair may be made now.
    pub fn may_mend(&self) -> bool {
        self.next() <= Instant::now()
    }

    /// Records a repair, whether or not it succeeded.
    pub fn mended(&mut self) {
        let now = Instant::now();
        if self.is_calm() {
            self.repairs = 0;
        }
        self.repairs = self.repairs.saturating_add(1);
        let next = now + pause(self.repairs);
        self.last = Some(Last {
            next,
            calm: next + CALM,
        });
    }

    /// The number of repairs, if another program keeps changing it; `None` once it was calm for a minute.
    pub fn contended(&self) -> Option<u32> {
        (self.repairs > AT_ONCE && !self.is_calm()).then_some(self.repairs)
    }

    fn is_calm(&self) -> bool {
        self.last.is_none_or(|last| Instant::now() >= last.calm)
    }
}

/// The pause after this number of repairs.
fn pause(repairs: u32) -> Duration {
    let Some(slow) = repairs.checked_sub(AT_ONCE + 1) else {
        return Duration::ZERO;
    };
    FIRST_PAUSE.saturating_mul(1 << slow.min(16)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_changes_are_mended_at_once_and_later_ones_after_longer_and_longer_pauses() {
        let mut contention = Contention::default();
        let mut pauses = Vec::new();
        for _ in 0..12 {
            assert!(contention.may_mend());
            contention.mended();
            let wait = contention.next() - Instant::now();
            pauses.push(wait.as_secs());
            advance(wait).await;
        }
        assert_eq!(pauses, [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(contention.contended(), Some(12));
    }

    #[tokio::test(start_paused = true)]
    async fn an_hour_of_contention_costs_few_repairs() {
        let mut contention = Contention::default();
        let (end, mut repairs) = (Instant::now() + Duration::from_secs(3600), 0);
        while Instant::now() < end {
            if contention.may_mend() {
                contention.mended();
                repairs += 1;
            }
            advance(Duration::from_millis(100)).await;
        }
        assert!((60..80).contains(&repairs), "{repairs}");
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_calm_minute_the_next_change_is_a_first_one() {
        let mut contention = Contention::default();
        for _ in 0..4 {
            contention.mended();
        }
        assert!(contention.contended().is_some() && !contention.may_mend());
        advance(FIRST_PAUSE + CALM).await;
        assert_eq!(contention.contended(), None);
        contention.mended();
        assert!(contention.may_mend() && contention.contended().is_none());
    }
}
