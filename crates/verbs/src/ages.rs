//! Ages and remaining times, as people read them.

use std::time::Duration;

use orchestrator_model::{Timestamp, show_lifespan};

/// The time since a moment: `3m12s`. A moment in the future, by another clock, counts as now.
pub fn age(then: Timestamp, now: Timestamp) -> String {
    show_lifespan(seconds(now.since(then)))
}

/// The time until a moment: `1h59m`, `never` if there is no end, `over` if it has passed.
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
