//! Lifetimes and times to renew, in the whole seconds of the wire (RFC 9915, sections 7.7, 21.4 and 21.6).

use std::time::Duration;

/// A lifetime that does not end.
const INFINITY: u32 = u32::MAX;

/// The lifetimes of the leases in an answer. They are the same for all leases of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetimes {
    /// Seconds that the address is preferred; never more than it is valid.
    pub(crate) preferred: u32,
    /// Seconds that the address is valid.
    pub(crate) valid: u32,
    /// Seconds until the client asks the same server again.
    pub(crate) t1: u32,
    /// Seconds until the client asks any server.
    pub(crate) t2: u32,
}

impl Lifetimes {
    /// T1 and T2 are half and four fifths of the preferred lifetime.
    pub(crate) fn new(preferred: Duration, valid: Duration) -> Self {
        let valid = seconds(valid);
        let preferred = seconds(preferred).min(valid);
        let part = |tenths: u64| match preferred {
            INFINITY => INFINITY,
            // At most eight tenths of a value that fits.
            _ => u32::try_from(u64::from(preferred) * tenths / 10).unwrap_or(INFINITY),
        };
        Self {
            preferred,
            valid,
            t1: part(5),
            t2: part(8),
        }
    }

    /// The remaining lifetimes of a lease that is not extended. T1 and T2 are its end (RFC 9915, section 18.3.4).
    pub(crate) fn left(preferred_until: i64, valid_until: i64, now: i64) -> Self {
        let left = |until: i64| match until {
            i64::MAX => INFINITY,
            _ => u32::try_from(until.saturating_sub(now).max(0) / 1000).unwrap_or(INFINITY),
        };
        let valid = left(valid_until);
        Self {
            preferred: left(preferred_until).min(valid),
            valid,
            t1: valid,
            t2: valid,
        }
    }
}

/// Whole seconds, rounded down. A duration that is too long for the field becomes infinite.
pub(crate) fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_secs()).unwrap_or(INFINITY)
}

/// When something that begins now ends; [`i64::MAX`] for never.
pub(crate) fn until(now: i64, seconds: u32) -> i64 {
    match seconds {
        INFINITY => i64::MAX,
        _ => now.saturating_add(i64::from(seconds) * 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifetimes(preferred: u64, valid: u64) -> (u32, u32, u32, u32) {
        let times = Lifetimes::new(Duration::from_secs(preferred), Duration::from_secs(valid));
        (times.t1, times.t2, times.preferred, times.valid)
    }

    #[test]
    fn parts_of_the_preferred_lifetime() {
        assert_eq!(lifetimes(3600, 7200), (1800, 2880, 3600, 7200));
        assert_eq!(lifetimes(1, 2), (0, 0, 1, 2));
        assert_eq!(
            lifetimes(u64::from(INFINITY) - 1, u64::MAX),
            (2_147_483_647, 3_435_973_835, INFINITY - 1, INFINITY)
        );
    }

    #[test]
    fn preferred_is_at_most_valid() {
        assert_eq!(lifetimes(7200, 3600), (1800, 2880, 3600, 3600));
    }

    #[test]
    fn infinity_stays_infinite() {
        assert_eq!(lifetimes(u64::MAX, u64::MAX), (INFINITY, INFINITY, INFINITY, INFINITY));
        assert_eq!(until(5, INFINITY), i64::MAX);
        assert_eq!(until(5, 2), 2005);
        assert_eq!(until(i64::MAX - 1, 2), i64::MAX);
    }
}
