//! Rate limits on answered messages. They limit the load that strangers can cause, with a fixed amount of memory.
//!
//! ```text
//!   datagram ──▶ its sender's bucket ──▶ the link's bucket ──▶ handled
//!                     full: refused          full: refused
//!                                            half full: who only begins is refused
//! ```
//! There is a limit for each sender, and one for all senders together, because a stranger can send from any number of
//! addresses. A message that the first limit refuses does not count for the second. Half of the second limit is
//! reserved for clients that hold a lease or an offer, so that a flood of Solicits ends nobody's lease.
//!
//! The caller passes the time.

mod bucket;
mod sender;
mod senders;

use std::num::NonZeroU32;

pub use self::sender::SenderLimiter;

use self::bucket::Measure;
use self::senders::Senders;
use crate::discard::Discard;
use crate::relay::Way;
use crate::{Inbound, MessageKind};

/// Sustained limits on handled messages per second. Bursts of twice as many are allowed; `None` means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates {
    /// The limit for one sender. The sender is the client's address: the source, or the peer address of the innermost
    /// relay agent.
    pub sender: Option<NonZeroU32>,
    /// The limit for all senders of the link together.
    pub link: Option<NonZeroU32>,
}

/// Enforces the rate limits of a link.
#[derive(Debug, Clone)]
pub struct Limiter {
    rates: Rates,
    senders: Option<Senders>,
    link: Option<Whole>,
}

/// The bucket of a link.
#[derive(Debug, Clone)]
struct Whole {
    measure: Measure,
    drained: i64,
}

impl Limiter {
    /// The key must be secret, like that of the server.
    pub fn new(key: [u8; 16], rates: Rates) -> Self {
        Self {
            rates,
            senders: rates.sender.map(|rate| Senders::new(key, Measure::new(rate))),
            link: rates.link.map(|rate| Whole {
                measure: Measure::new(rate),
                drained: i64::MIN,
            }),
        }
    }

    /// The rate limits.
    pub fn rates(&self) -> Rates {
        self.rates
    }

    /// Counts a datagram that came at this time, in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// [`Discard::TooOften`] and [`Discard::LinkTooOften`] for a datagram that must not be handled; another reason for
    /// one that cannot be answered.
    pub fn admit(&mut self, inbound: &Inbound<'_>, now: i64) -> Result<(), Discard> {
        let way = Way::peel(inbound.datagram)?;
        // The unit is finer than the clock's, because a bucket may drain more than once a millisecond.
        let now = now.saturating_mul(1000);
        let sender = way.client_address().unwrap_or(*inbound.source.ip());
        if self.senders.as_mut().is_some_and(|senders| !senders.admit(sender, now)) {
            return Err(Discard::TooOften(sender));
        }
        let begins = begins(way.message);
        if self.link.as_mut().is_some_and(|link| !link.admit(begins, now)) {
            return Err(Discard::LinkTooOften);
        }
        Ok(())
    }
}

impl Whole {
    fn admit(&mut self, begins: bool, now: i64) -> bool {
        let most = self.measure.capacity() / if begins { 2 } else { 1 };
        let has_room = self.measure.has_room(self.drained, now, most);
        if has_room {
            self.drained = self.measure.fill(self.drained, now);
        }
        has_room
    }
}

/// Whether the message begins an exchange, so that its client has neither a lease nor an offer here.
fn begins(message: &[u8]) -> bool {
    use MessageKind::{Decline, Rebind, Release, Renew, Request};
    let kind = message.first().and_then(|kind| MessageKind::from_wire(*kind));
    !matches!(kind, Some(Request | Renew | Rebind | Release | Decline))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV6;

    use super::*;

    const NOW: i64 = 1_800_000_000_000;
    const SOLICIT: u8 = 1;
    const RENEW: u8 = 5;

    fn limiter(sender: u32, link: u32) -> Limiter {
        let [sender, link] = [sender, link].map(NonZeroU32::new);
        Limiter::new([7; 16], Rates { sender, link })
    }

    fn admit(limiter: &mut Limiter, kind: u8, sender: u128, now: i64) -> Result<(), Discard> {
        let inbound = Inbound {
            datagram: &[kind, 0, 0, 1],
            source: SocketAddrV6::new(sender.into(), 546, 0, 1),
            multicast: true,
        };
        limiter.admit(&inbound, now)
    }

    /// The number of messages of 50 that are admitted, each from another sender.
    fn served(limiter: &mut Limiter, kind: u8, now: i64) -> usize {
        (0..50)
            .filter(|sender| admit(limiter, kind, *sender, now).is_ok())
            .count()
    }

    #[test]
    fn a_link_is_limited_whoever_sends() {
        let mut limiter = limiter(0, 10);
        assert_eq!(served(&mut limiter, RENEW, NOW), 20);
        assert_eq!(admit(&mut limiter, RENEW, 99, NOW), Err(Discard::LinkTooOften));
        assert_eq!(served(&mut limiter, RENEW, NOW + 300), 3);
        assert_eq!(served(&mut limiter, RENEW, NOW + 100_000), 20);
    }

    #[test]
    fn half_of_it_is_kept_for_who_does_not_begin() {
        let mut limiter = limiter(0, 10);
        assert_eq!(served(&mut limiter, SOLICIT, NOW), 10);
        assert_eq!(served(&mut limiter, RENEW, NOW), 10);
        // It has drained to its half, and by one.
        assert_eq!(served(&mut limiter, SOLICIT, NOW + 1000), 0);
        assert_eq!(served(&mut limiter, SOLICIT, NOW + 1100), 1);
        assert_eq!(
            served(&mut limiter, 0, NOW + 1200),
            1,
            "an unknown type is a stranger's"
        );
    }

    #[test]
    fn what_its_sender_may_not_send_takes_nothing_from_the_link() {
        let mut limiter = limiter(1, 10);
        for _ in 0..1000 {
            let _ = admit(&mut limiter, RENEW, 1, NOW);
        }
        assert_eq!(admit(&mut limiter, RENEW, 1, NOW), Err(Discard::TooOften(1.into())));
        assert_eq!(
            (2..50)
                .filter(|sender| admit(&mut limiter, RENEW, *sender, NOW).is_ok())
                .count(),
            18
        );
    }

    #[test]
    fn rates_beyond_one_a_millisecond() {
        let mut limiter = limiter(0, 10_000);
        let mut admitted = |now| {
            (0..50_000)
                .filter(|sender| admit(&mut limiter, RENEW, *sender, now).is_ok())
                .count()
        };
        assert_eq!((admitted(NOW), admitted(NOW + 1)), (20_000, 10));
    }

    #[test]
    fn a_clock_that_jumps_shuts_nobody_out() {
        let mut limiter = limiter(0, 5);
        for now in [NOW, 0, i64::MAX, i64::MIN, NOW, NOW - 1_000_000] {
            assert!(served(&mut limiter, RENEW, now) >= 10, "{now}");
        }
    }
}
