//! Decides when advertisements are due: the timers of RFC 4861, sections 6.2.4 to 6.2.6, without a clock.
//!
//! Times are durations since the advertiser began. Chance is passed in as a number from 0 to 1.
//!
//! - Unsolicited advertisements come at random intervals; the first [`INITIAL`] are at most [`INITIAL_INTERVAL`] apart.
//! - A solicitation from an address is answered there, after a random delay of at most [`LONGEST_DELAY`]. If the host
//!   has no address yet, or [`WAITING`] answers are pending, the answer is a multicast for all.
//! - Multicast advertisements are always at least [`APART`] apart, however many solicitations come.

use std::net::Ipv6Addr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// MAX_INITIAL_RTR_ADVERTISEMENTS.
const INITIAL: u32 = 3;
/// MAX_INITIAL_RTR_ADVERT_INTERVAL.
const INITIAL_INTERVAL: Duration = Duration::from_secs(16);
/// MAX_RA_DELAY_TIME.
const LONGEST_DELAY: Duration = Duration::from_millis(500);
/// MIN_DELAY_BETWEEN_RAS.
const APART: Duration = Duration::from_secs(3);
/// The largest number of pending unicast answers.
const WAITING: usize = 64;

/// The advertisements that are due, and when.
#[derive(Debug, Clone)]
pub struct Agenda {
    interval: RangeInclusive<Duration>,
    multicast: Duration,
    initial_left: u32,
    last_multicast: Option<Duration>,
    solicited: Vec<(Duration, Ipv6Addr)>,
}

/// Advertisements to be sent now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// Whether to send one to all nodes.
    pub multicast: bool,
    /// Send one to each of these.
    pub unicast: Vec<Ipv6Addr>,
}

impl Agenda {
    /// The agenda of an advertiser that begins now, with the bounds of its interval: MinRtrAdvInterval and
    /// MaxRtrAdvInterval.
    pub fn new(interval: RangeInclusive<Duration>) -> Self {
        Self {
            interval,
            multicast: Duration::ZERO,
            initial_left: INITIAL,
            last_multicast: None,
            solicited: Vec::new(),
        }
    }

    /// Starts again with the initial advertisements, because their content has changed (section 6.2.4).
    pub fn renew(&mut self, now: Duration, interval: RangeInclusive<Duration>) {
        self.interval = interval;
        self.initial_left = INITIAL;
        self.multicast = now.max(self.earliest_multicast());
    }

    /// When the next advertisement is due.
    pub fn next(&self) -> Duration {
        let solicited = self.solicited.iter().map(|(when, _)| *when);
        solicited.fold(self.multicast, Duration::min)
    }

    /// Takes the advertisements that are due, and plans the next ones.
    pub fn take_due(&mut self, now: Duration, chance: f64) -> Due {
        let due = self.solicited.extract_if(.., |(when, _)| *when <= now);
        let unicast = due.map(|(_, solicitor)| solicitor).collect();
        let multicast = self.multicast <= now;
        if multicast {
            self.plan_unsolicited(now, chance);
        }
        Due { multicast, unicast }
    }

    /// Records a solicitation from this address, which may be unspecified.
    pub fn solicit(&mut self, now: Duration, solicitor: Ipv6Addr, chance: f64) {
        let when = now + between(Duration::ZERO, LONGEST_DELAY, chance);
        if solicitor.is_unspecified() || self.solicited.len() >= WAITING {
            self.multicast = self.multicast.min(when.max(self.earliest_multicast()));
        } else if !self.solicited.iter().any(|(_, waiting)| *waiting == solicitor) {
            self.solicited.push((when, solicitor));
        }
    }

    /// When the last advertisement of all may be sent (section 6.2.5).
    pub fn farewell(&self, now: Duration) -> Duration {
        now.max(self.earliest_multicast())
    }

    fn plan_unsolicited(&mut self, now: Duration, chance: f64) {
        self.last_multicast = Some(now);
        self.initial_left = self.initial_left.saturating_sub(1);
        let mut interval = between(*self.interval.start(), *self.interval.end(), chance);
        if self.initial_left > 0 {
            interval = interval.min(INITIAL_INTERVAL);
        }
        self.multicast = now + interval.max(APART);
    }

    fn earliest_multicast(&self) -> Duration {
        self.last_multicast.map_or(Duration::ZERO, |last| last + APART)
    }
}

fn between(least: Duration, most: Duration, chance: f64) -> Duration {
    least + most.saturating_sub(least).mul_f64(chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    fn agenda(least: u64, most: u64) -> Agenda {
        Agenda::new(ms(least)..=ms(most))
    }

    fn host(number: u16) -> Ipv6Addr {
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, number)
    }

    #[test]
    fn the_first_three_come_within_sixteen_seconds_of_each_other_and_then_the_interval_counts() {
        let mut agenda = agenda(200_000, 600_000);
        let times: Vec<_> = (0..5)
            .map(|_| {
                let now = agenda.next();
                assert!(agenda.take_due(now, 0.5).multicast);
                now.as_secs()
            })
            .collect();
        assert_eq!(times, [0, 16, 32, 432, 832]);
    }

    #[test]
    fn who_solicits_is_answered_alone_and_once() {
        let mut agenda = agenda(200_000, 600_000);
        agenda.take_due(ms(0), 0.5);
        agenda.solicit(ms(100), host(1), 0.5);
        agenda.solicit(ms(200), host(1), 0.0);
        assert_eq!(agenda.next(), ms(350));
        assert_eq!(agenda.take_due(ms(349), 0.5), Due::default());
        let due = agenda.take_due(ms(350), 0.5);
        assert_eq!((due.multicast, due.unicast), (false, vec![host(1)]));
        assert_eq!(agenda.next(), ms(16_000));
    }

    #[test]
    fn who_has_no_address_is_answered_with_everyone_as_soon_as_the_last_one_allows() {
        let mut agenda = agenda(200_000, 600_000);
        agenda.take_due(ms(0), 0.5);
        agenda.solicit(ms(100), Ipv6Addr::UNSPECIFIED, 0.0);
        assert_eq!(agenda.next(), ms(3000));
        assert!(agenda.take_due(ms(3000), 0.5).multicast);
        agenda.solicit(ms(9000), Ipv6Addr::UNSPECIFIED, 1.0);
        assert_eq!(agenda.next(), ms(9500));
    }

    #[test]
    fn a_crowd_is_answered_by_one_for_all() {
        let mut agenda = agenda(200_000, 600_000);
        agenda.take_due(ms(0), 0.5);
        (0..500).for_each(|number| agenda.solicit(ms(4000), host(number), 1.0));
        let due = agenda.take_due(ms(4500), 0.5);
        assert_eq!((due.multicast, due.unicast.len()), (true, WAITING));
    }

    #[test]
    fn what_has_changed_is_told_soon_and_more_often() {
        let mut agenda = agenda(200_000, 600_000);
        (0..5).for_each(|_| drop(agenda.take_due(agenda.next(), 0.5)));
        agenda.renew(ms(834_000), ms(3000)..=ms(30_000));
        let times: Vec<_> = (0..5)
            .map(|_| {
                let now = agenda.next();
                assert!(agenda.take_due(now, 1.0).multicast);
                now.as_millis()
            })
            .collect();
        // The last one was sent at 832 s.
        assert_eq!(times, [835_000, 851_000, 867_000, 897_000, 927_000]);
    }

    #[test]
    fn the_last_one_keeps_its_distance_too() {
        let mut agenda = agenda(200_000, 600_000);
        assert_eq!(agenda.farewell(ms(10)), ms(10));
        agenda.take_due(ms(20), 0.5);
        assert_eq!(agenda.farewell(ms(30)), ms(3020));
        assert_eq!(agenda.farewell(ms(7000)), ms(7000));
    }

    proptest! {
        /// Whoever solicits, and whenever the advertiser gets to run.
        #[test]
        fn multicasts_keep_their_distance_and_nobody_waits_long(
            least in 3000u64..100_000,
            more in 0u64..100_000,
            steps in prop::collection::vec((0u64..20_000, 0u16..100, 0.0f64..=1.0), 1..200),
        ) {
            let mut agenda = agenda(least, least + more);
            let (mut now, mut multicasts, mut waiting) = (ms(0), Vec::new(), Vec::new());
            for (wait, solicitor, chance) in steps {
                now = agenda.next().max(now).min(now + ms(wait));
                let due = agenda.take_due(now, chance);
                if due.multicast {
                    multicasts.push(now);
                }
                waiting.retain(|(address, since)| {
                    let late = now > *since + LONGEST_DELAY;
                    let answered = due.unicast.contains(address);
                    assert!(answered || !late, "{address} waits since {since:?}");
                    !answered
                });
                if solicitor == 0 {
                    agenda.solicit(now, Ipv6Addr::UNSPECIFIED, chance);
                    prop_assert!(agenda.next() <= now + APART + LONGEST_DELAY);
                } else {
                    let before = agenda.solicited.len();
                    agenda.solicit(now, host(solicitor), chance);
                    if agenda.solicited.len() > before {
                        waiting.push((host(solicitor), now));
                    }
                }
                prop_assert!(agenda.solicited.len() <= WAITING);
            }
            prop_assert!(multicasts.windows(2).all(|pair| pair[1] - pair[0] >= APART));
            for pair in multicasts.windows(2).take(2) {
                prop_assert!(pair[1] - pair[0] <= INITIAL_INTERVAL);
            }
            prop_assert!(multicasts.windows(2).all(|pair| pair[1] - pair[0] <= ms(least + more)));
        }
    }
}
