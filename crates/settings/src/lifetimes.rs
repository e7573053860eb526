//! Lifetimes of leases, and the times at which clients renew them.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::reader::{Entry, Table};

/// Lifetimes of a link's leases: preferred ≤ valid, in whole seconds. T1 and T2 follow from them (RFC 9915, 21.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// How long an address is used for new connections.
    pub preferred: Duration,
    /// How long a lease lasts unless it is renewed.
    pub valid: Duration,
}

const DEFAULT_VALID: Duration = Duration::from_secs(7200);

/// The largest 32-bit value means "without end", so this is one less.
pub(super) const LONGEST: Duration = Duration::from_secs(u32::MAX as u64 - 1);

impl Lifetimes {
    pub(super) const KEYS: [&'static str; 2] = ["preferred_lifetime", "valid_lifetime"];

    /// Reads both lifetimes. If one is missing, it is derived from the other.
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let mut take = |key, least| {
            let bounds = Duration::from_secs(least)..=LONGEST;
            table.take(key).and_then(|entry| seconds(entry, bounds))
        };
        let preferred = take("preferred_lifetime", 2);
        let valid = take("valid_lifetime", 4);
        let valid = valid.unwrap_or_else(|| {
            preferred
                .unwrap_or_default()
                .saturating_mul(2)
                .clamp(DEFAULT_VALID, LONGEST)
        });
        let preferred = preferred.unwrap_or_else(|| whole_seconds(valid / 2));
        let lifetimes = Self { preferred, valid };
        lifetimes.check(table);
        lifetimes
    }

    fn check(&self, table: &Table<'_>) {
        let (preferred, valid) = (self.preferred.as_secs(), self.valid.as_secs());
        if preferred > valid {
            let what = format!("{preferred}s is longer than valid_lifetime, {valid}s");
            table.fault("preferred_lifetime", what, "shorten it, or lengthen valid_lifetime");
        }
    }
}

pub(super) fn seconds(entry: Entry<'_>, bounds: RangeInclusive<Duration>) -> Option<Duration> {
    let span = entry.lifespan(bounds)?;
    if span.subsec_millis() != 0 {
        entry.fault(
            "has parts of a second, which cannot be said on the wire",
            "take whole seconds",
        );
        return None;
    }
    Some(span)
}

fn whole_seconds(span: Duration) -> Duration {
    Duration::from_secs(span.as_secs())
}
