//! How fast those that wait get a place.

use std::collections::VecDeque;
use std::time::Duration;

use orchestrator_model::Timestamp;

/// The number of places that are remembered.
const KEPT: usize = 32;
/// A place that became free longer ago says nothing about the next one.
const MEMORY: Duration = Duration::from_secs(600);

/// When those that had waited for a limit got their places.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace {
    given: VecDeque<Timestamp>,
}

impl Pace {
    /// One that had waited has a place.
    pub(super) fn given(&mut self, now: Timestamp) {
        self.given.push_back(now);
        while self.given.len() > KEPT {
            self.given.pop_front();
        }
    }

    /// How long the one at this place, counted from 1, is going to wait: as long as those before it did. `None` while nobody
    /// can know.
    pub(super) fn expected(&self, place: usize, now: Timestamp) -> Option<Duration> {
        let recent = self.given.iter().filter(|at| now.since(**at) <= MEMORY);
        let count = u32::try_from(recent.clone().count()).ok().filter(|count| *count > 0)?;
        let first = recent.min()?;
        let each = now.since(*first).checked_div(count)?;
        each.checked_mul(u32::try_from(place).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_told_how_long_those_before_it_waited() {
        let mut pace = Pace::default();
        assert_eq!(pace.expected(1, Timestamp(0)), None, "nobody knows yet");
        for at in [10_000, 12_000, 14_000] {
            pace.given(Timestamp(at));
        }
        assert_eq!(pace.expected(5, Timestamp(16_000)), Some(Duration::from_secs(10)));
        assert_eq!(pace.expected(1, Timestamp(700_000)), None, "that was long ago");
    }
}
