//! The limit on new identities: first leases to clients that the link never saw.
//!
//! A DUID costs its inventor nothing, and costs the daemon an address and a row. A limit for the whole link would let one
//! inventor use it up; so each bridge port has a part of it. Each is a bucket that drains over a minute.
//!
//! The caller passes the time.

use std::collections::HashMap;

use orchestrator_settings::LinkLimits;

use super::bucket::fill;

/// A minute, in microseconds: what a bucket holds.
const MINUTE: i64 = 60_000_000;
/// Ports that are remembered. A bridge has 1,023; those whose buckets are empty are forgotten beyond this.
const PORTS: usize = 2048;
/// The time between two reports that the limit is reached, in microseconds.
const SILENCE: i64 = MINUTE;

/// What is counted of a link.
#[derive(Debug, Default)]
pub(super) struct Identities {
    /// When the bucket of the link is empty.
    link: i64,
    /// When the bucket of each port is empty. `None` stands for all clients whose port is not known.
    ports: HashMap<Option<String>, i64>,
    reported: Option<i64>,
}

/// A new identity is over the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OverLimit {
    /// Whether that is to be reported: it was not within the last minute.
    pub(super) is_news: bool,
}

impl Identities {
    /// Counts a new identity behind a port, at a time in milliseconds since 1970. `share` is the part of a port, in
    /// thousandths.
    ///
    /// # Errors
    ///
    /// When it is over the limit: then it does not count.
    pub(super) fn admit(
        &mut self,
        port: Option<&str>,
        limits: &LinkLimits,
        share: u32,
        now: i64,
    ) -> Result<(), OverLimit> {
        let Some(limit) = limits.identities else {
            return Ok(());
        };
        let now = now.saturating_mul(1000);
        let interval = |part: u32| {
            let thousandths = i64::try_from(limit).unwrap_or(i64::MAX).saturating_mul(part.into());
            MINUTE.saturating_mul(1000).checked_div(thousandths)
        };
        let of_port = self.ports.get(&port.map(str::to_owned)).copied().unwrap_or(i64::MIN);
        let (link, of_port) = (
            interval(1000).and_then(|interval| fill(self.link, now, interval, MINUTE)),
            interval(share.max(1)).and_then(|interval| fill(of_port, now, interval, MINUTE)),
        );
        let (Some(link), Some(of_port)) = (link, of_port) else {
            let is_news = self
                .reported
                .is_none_or(|at| !(0..SILENCE).contains(&now.saturating_sub(at)));
            if is_news {
                self.reported = Some(now);
            }
            return Err(OverLimit { is_news });
        };
        self.link = link;
        self.ports.insert(port.map(str::to_owned), of_port);
        if self.ports.len() > PORTS {
            self.ports.retain(|_, empty| *empty > now);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn limits(identities: u64) -> LinkLimits {
        LinkLimits {
            identities: Some(identities),
            ..LinkLimits::default()
        }
    }

    /// How many of so many are admitted behind a port.
    fn admitted(identities: &mut Identities, port: &str, limit: u64, count: usize, now: i64) -> usize {
        let mut admit = || identities.admit(Some(port), &limits(limit), 750, now).is_ok();
        (0..count).filter(|_| admit()).count()
    }

    #[test]
    fn a_port_has_its_part_and_others_find_the_rest() {
        let mut identities = Identities::default();
        assert_eq!(admitted(&mut identities, "attacker", 100, 100_000, NOW), 75);
        assert_eq!(admitted(&mut identities, "eth1", 100, 20, NOW), 20);
        assert_eq!(
            admitted(&mut identities, "eth2", 100, 20, NOW),
            5,
            "the link has its limit"
        );
    }

    #[test]
    fn it_is_a_rate() {
        let mut identities = Identities::default();
        assert_eq!(admitted(&mut identities, "a", 60, 1000, NOW), 45);
        assert_eq!(admitted(&mut identities, "a", 60, 1000, NOW + 4000), 3);
        assert_eq!(admitted(&mut identities, "a", 60, 1000, NOW + 1_000_000), 45);
    }

    #[test]
    fn none_and_no_limit_are_limits_too() {
        let mut identities = Identities::default();
        assert_eq!(admitted(&mut identities, "a", 0, 10, NOW), 0);
        let open = LinkLimits {
            identities: None,
            ..LinkLimits::default()
        };
        assert!((0..10_000).all(|_| identities.admit(None, &open, 750, NOW).is_ok()));
    }

    #[test]
    fn it_is_reported_once_a_minute_and_a_clock_that_jumps_shuts_nobody_out() {
        let mut identities = Identities::default();
        let mut refuse = |now| identities.admit(Some("a"), &limits(0), 750, now).unwrap_err().is_news;
        assert_eq!(
            [refuse(NOW), refuse(NOW + 59_999), refuse(NOW + 60_000)],
            [true, false, true]
        );
        let mut identities = Identities::default();
        for time in [NOW, 0, i64::MAX, i64::MIN, NOW, NOW - 1_000_000] {
            assert!(admitted(&mut identities, "a", 100, 1, time) == 1, "{time}");
        }
    }

    #[test]
    fn ports_that_are_quiet_are_forgotten() {
        let mut identities = Identities::default();
        for number in 0..3 * PORTS {
            let later = i64::try_from(number).unwrap() * 100;
            let port = format!("eth{number}");
            assert_eq!(admitted(&mut identities, &port, 1_000_000, 1, NOW + later), 1);
        }
        assert!(identities.ports.len() <= PORTS + 1);
    }
}
