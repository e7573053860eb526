//! Numbers that look random and depend on nothing but a seed.

use std::time::Duration;

/// A source of numbers that depend on nothing but the seed (splitmix64).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The source of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        match end {
            0 => 0,
            end => self.number() % end,
        }
    }

    /// Whether something happens that happens so many times in a thousand.
    pub fn happens(&mut self, per_thousand: u32) -> bool {
        per_thousand > 0 && self.below(1000) < u64::from(per_thousand)
    }

    /// A time up to `longest`, in milliseconds.
    pub fn within(&mut self, longest: Duration) -> Duration {
        let milliseconds = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        match milliseconds {
            0 => Duration::ZERO,
            longest => Duration::from_millis(self.below(longest.saturating_add(1))),
        }
    }
}
