//! Moments as people compare them: how long ago, how long yet.

use std::time::Duration;

use orchestrator_model::{Timestamp, show_lifespan};

/// How long ago: `3m12s`. A moment that is yet to come by another clock is now.
pub fn age(then: Timestamp, now: Timestamp) -> String {
    show_lifespan(seconds(now.since(then)))
}

/// How long yet: `1h59m`, `never` for what does not end, `over` for what did.
pub fn left(end: Timestamp, now: Timestamp) -> String {
    match end {
        Timestamp(i64::MAX) => "never".to_owned(),
        _ if end <= now => "over".to_owned(),
        _ => show_lifespan(seconds(end.since(now))),
    }
}

fn seconds(span: Duration) -> Duration {
    Duration::from_secs(span.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_in_whole_seconds() {
        let now = Timestamp(1_000_000_000);
        assert_eq!(age(Timestamp(1_000_000_000 - 192_345), now), "3m12s");
        assert_eq!(age(Timestamp(1_000_000_999), now), "0s");
        assert_eq!(left(Timestamp(1_000_000_000 + 7_199_999), now), "1h59m");
        assert_eq!(left(now, now), "over");
        assert_eq!(left(Timestamp(i64::MAX), now), "never");
    }
}
