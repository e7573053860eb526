//! How long a reconciler that failed waits before it is tried again.

use std::time::Duration;

/// The pauses after failures: the first one, then twice as long each time, up to the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Pauses that begin with `first`, double with each failure in a row, and are never longer than `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The same pause after every failure. For what is cheap to try and is to be back at once, like a bridge.
    pub const fn constant(pause: Duration) -> Self {
        Self::new(pause, pause)
    }

    /// The pause after so many failures in a row.
    pub fn pause(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }
}

impl Default for Backoff {
    /// One second, and up to a minute.
    fn default() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_secs(60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_never_beyond_it() {
        let pauses = (0..9).map(|failures| Backoff::default().pause(failures).as_secs());
        assert_eq!(pauses.collect::<Vec<_>>(), [1, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(Backoff::default().pause(u32::MAX).as_secs(), 60);
        let constant = Backoff::constant(Duration::from_millis(500));
        assert_eq!(
            (constant.pause(1), constant.pause(40)),
            (constant.first, constant.first)
        );
        let endless = Backoff::new(Duration::from_secs(1), Duration::MAX);
        assert_eq!(endless.pause(u32::MAX), Duration::from_secs(1 << 31));
    }
}
