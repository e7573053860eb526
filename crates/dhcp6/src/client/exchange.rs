//! A message that is sent until it is answered (RFC 9915, section 15).
//!
//! ```text
//!   delay ──▶ sent ──RT──▶ sent ──2 RT──▶ sent ── … at most MRT apart ──▶ given up after MRC times, or after MRD
//! ```
//!
//! Each pause is random by a tenth, so that clients that began together do not stay together.

use std::time::Duration;

use super::chance::Chance;
use crate::MessageKind;

/// The schedule of retransmissions (section 7.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Schedule {
    /// IRT: the first pause. All of these are in milliseconds.
    first: i64,
    /// MRT: the longest pause.
    longest: i64,
    /// MRC: the number of transmissions.
    count: Option<u32>,
    /// MRD: the duration of transmissions.
    span: Option<i64>,
}

const SECOND: i64 = 1000;

pub(super) const REQUEST: Schedule = Schedule::new(SECOND, 30 * SECOND).times(10);
/// Also for a Rebind that replaces a Confirm (section 18.2.12).
pub(super) const CONFIRM: Schedule = Schedule::new(SECOND, 4 * SECOND).for_span(10 * SECOND);
pub(super) const RENEW: Schedule = Schedule::new(10 * SECOND, 600 * SECOND);
pub(super) const REBIND: Schedule = Schedule::new(10 * SECOND, 600 * SECOND);
pub(super) const RELEASE: Schedule = Schedule::new(SECOND, i64::MAX).times(4);
pub(super) const DECLINE: Schedule = Schedule::new(SECOND, i64::MAX).times(4);
/// SOL_MAX_DELAY, CNF_MAX_DELAY and INF_MAX_DELAY: the largest delay of the first transmission.
pub(super) const DELAY: i64 = SECOND;
/// The default of SOL_MAX_RT and INF_MAX_RT, until a server sends others.
pub(super) const MAX_RT: Duration = Duration::from_secs(3600);

/// The schedule of a Solicit or an Information-request, whose longest pause a server may set.
pub(super) fn until_answered(longest: Duration) -> Schedule {
    Schedule::new(SECOND, i64::try_from(longest.as_millis()).unwrap_or(i64::MAX))
}

impl Schedule {
    const fn new(first: i64, longest: i64) -> Self {
        Self {
            first,
            longest,
            count: None,
            span: None,
        }
    }

    const fn times(self, count: u32) -> Self {
        Self {
            count: Some(count),
            ..self
        }
    }

    const fn for_span(self, span: i64) -> Self {
        Self {
            span: Some(span),
            ..self
        }
    }
}

/// A message that is sent until it is answered.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    pub(super) kind: MessageKind,
    pub(super) transaction: [u8; 3],
    schedule: Schedule,
    /// When it was first sent.
    began: Option<i64>,
    /// The pause after the last transmission.
    pause: i64,
    /// When the next transmission is due.
    due: i64,
    sent: u32,
}

/// The next step of the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing yet.
    Wait,
    /// Send it, with this many hundredths of a second in its elapsed time (section 21.9).
    Send(u16),
    /// Give up: it was sent as often or as long as allowed.
    GiveUp,
}

impl Exchange {
    /// Begins an exchange after a delay in milliseconds.
    pub(super) fn new(kind: MessageKind, schedule: Schedule, now: i64, delay: i64, chance: &mut Chance) -> Self {
        Self {
            kind,
            transaction: chance.transaction(),
            schedule,
            began: None,
            pause: 0,
            due: now.saturating_add(delay),
            sent: 0,
        }
    }

    /// When the next step is due.
    pub(super) fn due(&self) -> i64 {
        self.due
    }

    /// Whether it has been sent.
    pub(super) fn is_sent(&self) -> bool {
        self.began.is_some()
    }

    /// Whether it has been sent more than once, so that an answer ends all waiting (section 18.2.1).
    pub(super) fn is_repeated(&self) -> bool {
        self.sent > 1
    }

    /// Limits all further pauses.
    pub(super) fn limit_pauses(&mut self, longest: Duration) {
        self.schedule.longest = until_answered(longest).longest;
    }

    /// The step that is due now. A message that is returned for sending counts as sent.
    pub(super) fn take_turn(&mut self, now: i64, chance: &mut Chance) -> Turn {
        if now < self.due {
            return Turn::Wait;
        }
        let began = *self.began.get_or_insert(now);
        let end = self.schedule.span.map_or(i64::MAX, |span| began.saturating_add(span));
        if self.schedule.count.is_some_and(|count| self.sent >= count) || now >= end {
            return Turn::GiveUp;
        }
        self.pause = self.next_pause(chance);
        self.due = now.saturating_add(self.pause).min(end);
        self.sent = self.sent.saturating_add(1);
        let elapsed = now.saturating_sub(began) / 10;
        Turn::Send(u16::try_from(elapsed).unwrap_or(u16::MAX))
    }

    fn next_pause(&self, chance: &mut Chance) -> i64 {
        // The first pause of a Solicit is never shortened, so that servers have time to answer.
        let least = if self.sent == 0 && self.kind == MessageKind::Solicit {
            1
        } else {
            -100
        };
        let mut vary = |of: i64| of / 1000 * chance.between(least, 100) + of % 1000 * chance.between(least, 100) / 1000;
        let pause = match self.sent {
            0 => self.schedule.first + vary(self.schedule.first),
            _ => self.pause.saturating_mul(2).saturating_add(vary(self.pause)),
        };
        if pause <= self.schedule.longest {
            return pause;
        }
        self.schedule.longest.saturating_add(vary(self.schedule.longest))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The times at which a message is sent, until it is given up or for as many times.
    fn times(kind: MessageKind, schedule: Schedule, most: usize, key: u8) -> (Vec<i64>, bool) {
        let mut chance = Chance::new([key; 16]);
        let mut exchange = Exchange::new(kind, schedule, 0, 0, &mut chance);
        let mut times = Vec::new();
        while times.len() < most {
            let now = exchange.due();
            match exchange.take_turn(now, &mut chance) {
                Turn::Send(elapsed) => {
                    assert_eq!(i64::from(elapsed), (now / 10).min(0xffff));
                    times.push(now);
                }
                Turn::GiveUp => return (times, true),
                Turn::Wait => unreachable!("it is due"),
            }
        }
        (times, false)
    }

    proptest! {
        #[test]
        fn pauses_double_up_to_the_longest(key in any::<u8>()) {
            let (times, _) = times(MessageKind::Solicit, until_answered(Duration::from_secs(60)), 12, key);
            let pauses: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
            prop_assert!((1001..=1100).contains(&pauses[0]), "{pauses:?}");
            for pair in pauses.windows(2) {
                let doubled = pair[0] * 19 / 10 - 2..=pair[0] * 21 / 10 + 2;
                let longest = 54_000..=66_000;
                prop_assert!(doubled.contains(&pair[1]) || longest.contains(&pair[1]), "{pauses:?}");
            }
            prop_assert!(pauses.iter().all(|pause| *pause <= 66_000));
        }

        #[test]
        fn it_is_given_up(key in any::<u8>()) {
            let (sent, given_up) = times(MessageKind::Request, REQUEST, 99, key);
            prop_assert!(given_up && sent.len() == 10);
            let (sent, given_up) = times(MessageKind::Confirm, CONFIRM, 99, key);
            prop_assert!(given_up && (3..=5).contains(&sent.len()), "{sent:?}");
            prop_assert!(sent.last().is_some_and(|last| *last < 10_000));
        }
    }

    #[test]
    fn the_first_waits_for_its_delay() {
        let mut chance = Chance::new([1; 16]);
        let mut exchange = Exchange::new(MessageKind::Renew, RENEW, 100, 50, &mut chance);
        assert_eq!(exchange.take_turn(149, &mut chance), Turn::Wait);
        assert_eq!(exchange.take_turn(150, &mut chance), Turn::Send(0));
        assert!((150 + 9000..=150 + 11_000).contains(&exchange.due()));
    }
}
