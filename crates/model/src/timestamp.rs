//! Timestamps, and the clock that measures lifetimes.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// RFC 3339 with exactly three digits of milliseconds. Texts of one width sort by time.
const SHOWN: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// A point in time: milliseconds since 1970-01-01T00:00:00Z. In JSON it is RFC 3339 of a fixed width, so that texts
/// sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The time of the wall clock.
    pub fn wall() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// The moment that is `after` later. If that is out of range, the last possible moment.
    #[must_use]
    pub fn plus(self, after: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// The moment that is `before` earlier. If that is out of range, the first possible moment.
    #[must_use]
    pub fn minus(self, before: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(before.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// The time since `earlier`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|moment| moment.format(SHOWN).ok());
        // Only a moment after the year 9999 has no such text: a lifetime without end.
        f.pad(text.as_deref().unwrap_or("never"))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "never" {
            return Ok(Self(i64::MAX));
        }
        let moment = OffsetDateTime::parse(&text, &Rfc3339).map_err(serde::de::Error::custom)?;
        Ok(Self(
            i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX),
        ))
    }
}

/// The daemon's clock: the wall clock when the daemon started, continued by the monotonic clock.
///
/// Setting the wall clock while the daemon runs does not end a lease early or keep it too long. Lifetimes are durations
/// that the daemon promised to clients, and clients measure them with clocks of their own.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Source);

/// The source of a clock's time.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// The wall clock as it stood at this moment.
    Wall { wall: Timestamp, started: Instant },
    /// The time that this function returns.
    Given(fn() -> Timestamp),
}

impl Clock {
    /// A clock that starts with the present wall clock.
    pub fn start() -> Self {
        Self(Source::Wall {
            wall: Timestamp::wall(),
            started: Instant::now(),
        })
    }

    /// A clock that returns the time of `now`, for tests with a fixed time.
    pub const fn given(now: fn() -> Timestamp) -> Self {
        Self(Source::Given(now))
    }

    /// The present time of this clock.
    pub fn now(&self) -> Timestamp {
        match self.0 {
            Source::Wall { wall, started } => wall.plus(started.elapsed()),
            Source::Given(now) => now(),
        }
    }

    /// How far the wall clock has been set away from this clock, in milliseconds; positive if it was set forward.
    pub fn wall_offset(&self) -> i64 {
        Timestamp::wall().0.saturating_sub(self.now().0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_as_rfc_3339_and_read_back() {
        let moment = Timestamp(1_700_000_000_123);
        assert_eq!(moment.to_string(), "2023-11-14T22:13:20.123Z");
        let json = serde_json::to_string(&moment).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), moment);
    }

    #[test]
    fn texts_stand_in_the_order_of_their_moments() {
        let moments = [0, 400, 430, 437, 999, 1000, 1001, 60_000].map(|after| Timestamp(1_700_000_000_000 + after));
        let texts = moments.map(|moment| moment.to_string());
        assert!(texts.is_sorted(), "{texts:?}");
        assert_eq!(texts[1], "2023-11-14T22:13:20.400Z");
    }

    #[test]
    fn a_lifetime_without_end_is_never() {
        let never = Timestamp(5).plus(Duration::MAX);
        assert_eq!(never.to_string(), "never");
        let json = serde_json::to_string(&never).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), never);
    }

    #[test]
    fn spans_do_not_go_below_zero() {
        assert_eq!(Timestamp(5).since(Timestamp(9)), Duration::ZERO);
        assert_eq!(Timestamp(9).since(Timestamp(5)), Duration::from_millis(4));
    }
}
