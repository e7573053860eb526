//! Durations as people write them: `10s`, `1h`, `1h30m`, `infinite`.

use std::time::Duration;

/// The text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a span of time: write it like \"500ms\", \"30s\", \"10m\", \"2h\", \"1h30m\" or \"7d\"")]
pub struct LifespanError(pub String);

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Parses a duration: whole numbers, each with its unit (`d`, `h`, `m`, `s`, `ms`).
///
/// # Errors
///
/// When the text has another form, or the duration does not fit into 2⁶⁴ milliseconds.
pub fn parse_lifespan(text: &str) -> Result<Duration, LifespanError> {
    let fault = || LifespanError(text.to_owned());
    let mut rest = text.trim();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err(fault());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(fault)?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let factor = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(fault)?.1;
        let number: u64 = number.parse().map_err(|_| fault())?;
        total = number
            .checked_mul(factor)
            .and_then(|span| total.checked_add(span))
            .ok_or_else(fault)?;
        rest = tail;
    }
    Ok(Duration::from_millis(total))
}

/// Formats a duration in its two largest units: `1h30m`, `12s`, `850ms`.
pub fn show_lifespan(span: Duration) -> String {
    let mut left = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let mut shown = String::new();
    let mut parts = 0;
    for (unit, factor) in UNITS {
        // Milliseconds are useless next to minutes.
        if left >= factor && parts < 2 && !(unit == "ms" && span.as_secs() >= 60) {
            shown.push_str(&format!("{}{unit}", left / factor));
            left %= factor;
            parts += 1;
        } else if parts > 0 {
            break;
        }
    }
    if shown.is_empty() { "0s".to_owned() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read() {
        for (text, seconds) in [
            ("30s", 30),
            ("10m", 600),
            ("1h30m", 5400),
            ("7d", 604_800),
            (" 2h ", 7200),
            ("0s", 0),
        ] {
            assert_eq!(parse_lifespan(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_lifespan("1500ms"), Ok(Duration::from_millis(1500)));
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in [
            "",
            "10",
            "s",
            "10x",
            "-1s",
            "1.5h",
            "99999999999999999999s",
            "18446744073709551615d",
            "1h 30m",
        ] {
            assert_eq!(parse_lifespan(text), Err(LifespanError(text.to_owned())));
        }
    }

    #[test]
    fn spans_are_shown_in_two_units() {
        for (ms, shown) in [
            (0, "0s"),
            (850, "850ms"),
            (12_000, "12s"),
            (12_345, "12s345ms"),
            (5_400_000, "1h30m"),
            (90_061_000, "1d1h"),
        ] {
            assert_eq!(show_lifespan(Duration::from_millis(ms)), shown);
        }
    }
}
