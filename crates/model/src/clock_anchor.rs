//! How far the wall clock was set between two runs of the daemon.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::Timestamp;

/// The largest difference, in milliseconds, that is not taken for a clock that was set.
const SLACK: i64 = 5_000;

/// What ties the daemon's clock to a boot of its machine: within one boot, the kernel says how much time has passed,
/// whatever the wall clock says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockAnchor {
    /// The kernel's id of the boot.
    boot: String,
    /// The time of the daemon's clock at which the machine booted, in milliseconds.
    booted: i64,
}

/// A text is no anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a boot and a time in milliseconds")]
pub struct ClockAnchorError;

impl ClockAnchor {
    /// The anchor of a machine that booted so long ago.
    pub fn new(boot: &str, uptime: Duration, now: Timestamp) -> Self {
        Self {
            boot: boot.trim().to_owned(),
            booted: now.minus(uptime).0,
        }
    }

    /// How far the clock of this run is from that of the run before, in milliseconds; positive if the wall clock was set
    /// forward. Zero if it was not set, or if nobody can tell. `last` is the last moment that the run before recorded,
    /// `now` the present time of this run's clock.
    ///
    /// Within one boot of the machine every step is known. After another boot the clock cannot be earlier than what was
    /// recorded: then it is taken to go on from there. A clock that is later may be right.
    pub fn step_since(&self, before: Option<&Self>, last: Option<Timestamp>, now: Timestamp) -> i64 {
        let step = match before.filter(|before| before.boot == self.boot) {
            Some(before) => self.booted.saturating_sub(before.booted),
            None => last.map_or(0, |last| now.0.saturating_sub(last.0).min(0)),
        };
        match step.unsigned_abs() > SLACK.unsigned_abs() {
            true => step,
            false => 0,
        }
    }
}

impl fmt::Display for ClockAnchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.boot, self.booted)
    }
}

impl FromStr for ClockAnchor {
    type Err = ClockAnchorError;

    fn from_str(text: &str) -> Result<Self, ClockAnchorError> {
        let (boot, booted) = text.split_once(' ').ok_or(ClockAnchorError)?;
        Ok(Self {
            boot: boot.to_owned(),
            booted: booted.parse().map_err(|_| ClockAnchorError)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);
    const DAY: Duration = Duration::from_secs(86_400);
    const DAY_MS: i64 = 86_400_000;

    /// An anchor in a boot that is so many days old, by a clock that is so far from the right one.
    fn anchor(boot: &str, days: u32, off: i64) -> ClockAnchor {
        ClockAnchor::new(boot, days * DAY, Timestamp(NOW.0 + off))
    }

    #[test]
    fn within_a_boot_every_step_is_known_however_long_no_daemon_ran() {
        let before = ClockAnchor::new("a", DAY, NOW);
        let later = |off: i64| {
            let now = Timestamp(NOW.0 + 3 * DAY_MS + off);
            let present = ClockAnchor::new("a", 4 * DAY, now);
            present.step_since(Some(&before), Some(NOW), now)
        };
        for (off, step) in [
            (0, 0),
            (4_000, 0),
            (-4_000, 0),
            (DAY_MS, DAY_MS),
            (-365 * DAY_MS, -365 * DAY_MS),
        ] {
            assert_eq!(later(off), step, "{off}");
        }
    }

    #[test]
    fn a_machine_that_boots_in_1970_goes_on_from_what_was_recorded() {
        let now = Timestamp(60_000);
        let present = ClockAnchor::new("b", Duration::from_secs(60), now);
        let before = anchor("a", 1, 0);
        assert_eq!(present.step_since(Some(&before), Some(NOW), now), now.0 - NOW.0);
        assert_eq!(present.step_since(None, Some(NOW), now), now.0 - NOW.0);
        assert_eq!(present.step_since(None, None, now), 0, "nothing was recorded");
    }

    #[test]
    fn after_another_boot_a_later_clock_may_be_right() {
        let present = anchor("b", 0, DAY_MS);
        let now = Timestamp(NOW.0 + DAY_MS);
        assert_eq!(present.step_since(Some(&anchor("a", 1, 0)), Some(NOW), now), 0);
    }

    #[test]
    fn an_anchor_is_read_back() {
        let anchor = anchor("6f1c", 2, 0);
        assert_eq!(anchor.to_string().parse(), Ok(anchor));
        assert_eq!("6f1c".parse::<ClockAnchor>(), Err(ClockAnchorError));
        assert_eq!("6f1c x".parse::<ClockAnchor>(), Err(ClockAnchorError));
    }
}
