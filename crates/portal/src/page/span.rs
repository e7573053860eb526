//! Spans of time as people say them.

use std::time::Duration;

/// A span in its two largest units, such as `1 h 5 min`.
pub(super) fn spoken(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let both = |large: u64, unit: &str, small: u64, smaller: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {smaller}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => both(hours, "h", minutes, "min"),
        (1, hours, _) => both(1, "day", hours, "h"),
        (days, hours, _) => both(days, "days", hours, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_their_two_largest_units() {
        for (seconds, said) in [
            (0, "0 s"),
            (59, "59 s"),
            (61, "1 min"),
            (3_600, "1 h"),
            (3_900, "1 h 5 min"),
            (86_400, "1 day"),
            (200_000, "2 days 7 h"),
        ] {
            assert_eq!(spoken(Duration::from_secs(seconds)), said);
        }
    }
}
