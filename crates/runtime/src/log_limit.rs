//! Limits the log lines that a stranger can cause.
//!
//! The first line of a kind is written. Further ones within a minute are only counted, and their number is written once
//! a minute. A kind is a word in the code, never a stranger's text, so that the memory is limited too.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long lines of a kind are only counted after one was written.
pub const PERIOD: Duration = Duration::from_secs(60);

/// Decides which lines are written. A cheap handle: all clones count together.
#[derive(Debug, Clone, Default)]
pub struct LogLimit {
    kinds: Arc<Mutex<BTreeMap<&'static str, Kind>>>,
}

#[derive(Debug)]
struct Kind {
    /// When a line, or a count, was last written.
    written: Instant,
    /// The number of lines since then that were not written.
    held_back: u64,
}

impl LogLimit {
    /// If a line of this kind may be written now, returns the number of lines that were suppressed since the last one.
    /// Otherwise returns `None`.
    pub fn admit(&self, kind: &'static str) -> Option<u64> {
        let now = Instant::now();
        let mut kinds = self.kinds();
        let fresh = || Kind {
            written: now,
            held_back: 0,
        };
        let Some(known) = kinds.get_mut(kind) else {
            kinds.insert(kind, fresh());
            return Some(0);
        };
        if now.duration_since(known.written) < PERIOD {
            known.held_back = known.held_back.saturating_add(1);
            return None;
        }
        Some(std::mem::replace(known, fresh()).held_back)
    }

    /// The kinds whose last line is a minute old and that had suppressed lines since, with their number. Resets the
    /// numbers.
    pub fn take_due(&self) -> Vec<(&'static str, u64)> {
        let now = Instant::now();
        let mut kinds = self.kinds();
        let is_due = |kind: &Kind| now.duration_since(kind.written) >= PERIOD;
        kinds.retain(|_, kind| kind.held_back > 0 || !is_due(kind));
        let due = kinds.iter_mut().filter(|(_, kind)| is_due(kind));
        let take = |(name, kind): (&&'static str, &mut Kind)| {
            kind.written = now;
            (*name, std::mem::take(&mut kind.held_back))
        };
        due.map(take).collect()
    }

    fn kinds(&self) -> MutexGuard<'_, BTreeMap<&'static str, Kind>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_line_of_a_kind_is_written_and_the_rest_of_its_minute_counted() {
        let limit = LogLimit::default();
        assert_eq!(limit.admit("one"), Some(0));
        for _ in 0..4_194 {
            assert_eq!(limit.admit("one"), None);
        }
        // Another kind has its own minute.
        assert_eq!(limit.admit("other"), Some(0));
        advance(PERIOD - Duration::from_millis(1)).await;
        assert_eq!((limit.admit("one"), limit.take_due()), (None, vec![]));
        advance(Duration::from_millis(1)).await;
        assert_eq!(limit.take_due(), [("one", 4_195)]);
        assert_eq!((limit.admit("one"), limit.take_due()), (None, vec![]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_after_a_minute_says_how_many_were_held_back() {
        let limit = LogLimit::default();
        for _ in 0..3 {
            limit.admit("one");
        }
        advance(PERIOD).await;
        assert_eq!((limit.admit("one"), limit.admit("one")), (Some(2), None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_kind_that_is_over_is_forgotten() {
        let limit = LogLimit::default();
        limit.admit("one");
        advance(PERIOD).await;
        assert_eq!(limit.take_due(), vec![]);
        assert!(limit.kinds().is_empty());
        assert_eq!(limit.admit("one"), Some(0));
    }
}
