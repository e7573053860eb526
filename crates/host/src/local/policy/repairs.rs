//! How often the rules were made anew, and when everything was compared last.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::RebuildReason;

/// How often the rules were made anew since the daemon started.
#[derive(Debug, Default)]
pub(in crate::local) struct Repairs {
    counts: BTreeMap<RebuildReason, u64>,
    compared: Option<Instant>,
}

/// What a change of the packet filter came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// The difference was written.
    Difference,
    /// Everything was compared. `surprise` says whether something was not as it was left.
    Whole {
        /// Whether something was not as it was left.
        surprise: bool,
    },
    /// The kernel refused the difference, and everything was compared and written.
    Diverged,
}

impl Repairs {
    /// Takes in what a change came to.
    pub(super) fn wrote(&mut self, written: Written) {
        let is_first = self.compared.is_none();
        match written {
            Written::Difference => return,
            Written::Whole { .. } if is_first => self.count(RebuildReason::Start),
            Written::Whole { surprise: true } => self.count(RebuildReason::Mismatch),
            Written::Whole { surprise: false } => {}
            Written::Diverged => self.count(RebuildReason::Failure),
        }
        self.compared = Some(Instant::now());
    }

    /// Counts that the rules were made anew.
    pub(super) fn count(&mut self, reason: RebuildReason) {
        *self.counts.entry(reason).or_default() += 1;
    }

    pub(super) fn counts(&self) -> &BTreeMap<RebuildReason, u64> {
        &self.counts
    }

    /// How often somebody else's change was undone.
    pub(super) fn foreign(&self) -> u64 {
        self.counts.get(&RebuildReason::Foreign).copied().unwrap_or_default()
    }

    /// How long ago everything was compared; `None` before the first time.
    pub(super) fn compared(&self) -> Option<Duration> {
        self.compared.map(|at| at.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_whole_is_the_start_and_a_later_one_counts_only_if_something_was_not_as_it_was_left() {
        let mut repairs = Repairs::default();
        repairs.wrote(Written::Difference);
        assert!(repairs.counts().is_empty() && repairs.compared().is_none());
        repairs.wrote(Written::Whole { surprise: true });
        repairs.wrote(Written::Whole { surprise: false });
        repairs.wrote(Written::Whole { surprise: true });
        repairs.wrote(Written::Diverged);
        let expected = [
            (RebuildReason::Start, 1),
            (RebuildReason::Mismatch, 1),
            (RebuildReason::Failure, 1),
        ];
        assert_eq!(*repairs.counts(), expected.into());
        assert!(repairs.compared().is_some());
    }
}
