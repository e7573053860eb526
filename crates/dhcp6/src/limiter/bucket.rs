//! A bucket that is full after a burst and drains with time. It is stored as the time at which it will be empty.

use std::num::NonZeroU32;

/// The number of microseconds in a second.
const SECOND: i64 = 1_000_000;

/// The size of buckets, and the speed at which they drain. Times are microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measure {
    /// The time that one message adds to a bucket.
    interval: i64,
    capacity: i64,
}

impl Measure {
    /// A sustained rate of so many messages per second, with bursts of twice as many.
    pub(super) fn new(rate: NonZeroU32) -> Self {
        let rate = i64::from(rate.get()).min(SECOND);
        let interval = SECOND / rate;
        Self {
            interval,
            capacity: interval * rate * 2,
        }
    }

    /// The capacity of a bucket.
    pub(super) fn capacity(self) -> i64 {
        self.capacity
    }

    /// Whether a bucket with one more message is at most this full.
    pub(super) fn has_room(self, drained: i64, now: i64, most: i64) -> bool {
        self.filled(drained, now).saturating_add(self.interval) <= most
    }

    /// The time at which the bucket is empty, with one more message in it.
    pub(super) fn fill(self, drained: i64, now: i64) -> i64 {
        let filled = self.filled(drained, now).saturating_add(self.interval);
        now.saturating_add(filled.min(self.capacity))
    }

    fn filled(self, drained: i64, now: i64) -> i64 {
        let filled = drained.saturating_sub(now);
        // A bucket that is more than full was filled before the clock was set back.
        if filled > self.capacity { 0 } else { filled.max(0) }
    }
}
