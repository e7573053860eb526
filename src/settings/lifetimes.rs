//! Lifetimes of leases, and when clients are to renew them.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::reader::{Entry, Table};

/// Lifetimes of a link's leases. T1 ≤ T2 ≤ preferred ≤ valid, all of them whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// How long an address is used for new connections.
    pub preferred: Duration,
    /// How long a lease lasts unless it is renewed.
    pub valid: Duration,
    /// T1: when a client turns to its server to renew (RFC 9915, section 14.2).
    pub t1: Duration,
    /// T2: when a client turns to any server to rebind.
    pub t2: Duration,
}

const DEFAULT_VALID: Duration = Duration::from_secs(7200);

/// The largest but one of 32 bits: the largest means without end.
const LONGEST: Duration = Duration::from_secs(u32::MAX as u64 - 1);

impl Lifetimes {
    pub(super) const KEYS: [&'static str; 4] = ["preferred_lifetime", "valid_lifetime", "t1", "t2"];

    /// Takes what is given, and the proportions of RFC 9915, section 21.4 for what is not.
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let mut take = |key, least| {
            let bounds = Duration::from_secs(least)..=LONGEST;
            table.take(key).and_then(|entry| seconds(entry, bounds))
        };
        let preferred = take("preferred_lifetime", 2);
        let valid = take("valid_lifetime", 4);
        let (t1, t2) = (take("t1", 1), take("t2", 1));
        let valid = valid.unwrap_or_else(|| {
            preferred
                .unwrap_or_default()
                .saturating_mul(2)
                .clamp(DEFAULT_VALID, LONGEST)
        });
        let preferred = preferred.unwrap_or_else(|| whole_seconds(valid / 2));
        let lifetimes = Self {
            preferred,
            valid,
            t1: t1.unwrap_or_else(|| whole_seconds(preferred / 2)),
            t2: t2.unwrap_or_else(|| whole_seconds(preferred * 4 / 5)),
        };
        lifetimes.check(table);
        lifetimes
    }

    fn check(&self, table: &Table<'_>) {
        for (key, shorter, longer_key, longer) in [
            ("preferred_lifetime", self.preferred, "valid_lifetime", self.valid),
            ("t2", self.t2, "preferred_lifetime", self.preferred),
            ("t1", self.t1, "t2", self.t2),
        ] {
            if shorter > longer {
                let what = format!(
                    "{}s is longer than {longer_key}, {}s",
                    shorter.as_secs(),
                    longer.as_secs()
                );
                table.fault(key, what, format!("shorten it, or lengthen {longer_key}"));
            }
        }
    }
}

fn seconds(entry: Entry<'_>, bounds: RangeInclusive<Duration>) -> Option<Duration> {
    let span = entry.lifespan(bounds)?;
    if span.subsec_millis() != 0 {
        entry.fault("has parts of a second, which DHCPv6 cannot say", "take whole seconds");
        return None;
    }
    Some(span)
}

fn whole_seconds(span: Duration) -> Duration {
    Duration::from_secs(span.as_secs())
}
