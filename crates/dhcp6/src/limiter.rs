//! How often one client is answered: a bound on what a stranger costs, in memory that does not grow.
//!
//! Each sender is measured by a bucket that is full after a burst and drains with time. Senders share a fixed number of
//! buckets, two each, found by a keyed hash: one that floods empties its own, and nobody can choose whose they share.
//! A sender is refused only when both of its buckets are full, so that one of many neighbours does not shut it out.

use std::fmt;
use std::hash::Hasher;
use std::net::Ipv6Addr;
use std::time::Duration;

use siphasher::sip128::{Hasher128, SipHasher24};

use crate::Inbound;
use crate::discard::Discard;
use crate::relay::Way;

/// Buckets of each of the two choices; a power of two. Sixteen bytes for each sender that is told apart at best.
const BUCKETS: usize = 4096;

/// Refuses senders that send too often.
///
/// A sender is the client's address, as it sent or as the relay next to it tells. Time is passed in, as everywhere.
#[derive(Clone)]
pub struct Limiter {
    key: [u8; 16],
    /// Milliseconds that one message fills.
    interval: i64,
    /// Milliseconds that a bucket holds.
    capacity: i64,
    /// When each bucket will have drained: milliseconds since 1970.
    drained: Vec<i64>,
}

impl Limiter {
    /// Allows a burst of messages at once, and one more with each `interval`. The key is secret, as that of the server.
    pub fn new(key: [u8; 16], burst: u32, interval: Duration) -> Self {
        let interval = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
        let capacity = interval.saturating_mul(i64::from(burst));
        Self {
            key,
            interval,
            capacity,
            drained: vec![i64::MIN; 2 * BUCKETS],
        }
    }

    /// Counts a datagram that came at a time in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// [`Discard::TooOften`], for a datagram that is not to be handled; why else there can be no answer.
    pub fn admit(&mut self, inbound: &Inbound<'_>, now: i64) -> Result<(), Discard> {
        let sender = Way::peel(inbound.datagram)?
            .client_address()
            .unwrap_or(*inbound.source.ip());
        let buckets = self.buckets(sender);
        let has_room = |bucket: &usize| {
            let filled = self.drained[*bucket].saturating_sub(now);
            // What is filled for longer than it can be was filled before the clock was set back.
            filled.saturating_add(self.interval) <= self.capacity || filled > self.capacity
        };
        if !buckets.iter().any(has_room) {
            return Err(Discard::TooOften(sender));
        }
        for bucket in buckets {
            let drained = &mut self.drained[bucket];
            let most = now.saturating_add(self.capacity);
            let from = if *drained > most { now } else { (*drained).max(now) };
            *drained = from.saturating_add(self.interval).min(most);
        }
        Ok(())
    }

    fn buckets(&self, sender: Ipv6Addr) -> [usize; 2] {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write(&sender.octets());
        let hash = hasher.finish128();
        let choice = |hash: u64| usize::try_from(hash % BUCKETS as u64).unwrap_or_default();
        [choice(hash.h1), BUCKETS + choice(hash.h2)]
    }
}

/// The key is a secret.
impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter")
            .field("interval", &self.interval)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV6;

    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn limiter() -> Limiter {
        Limiter::new([7; 16], 10, Duration::from_millis(100))
    }

    fn admit(limiter: &mut Limiter, sender: u128, now: i64) -> bool {
        let source = SocketAddrV6::new(sender.into(), 546, 0, 1);
        limiter
            .admit(
                &Inbound {
                    datagram: &[1, 0, 0, 1],
                    source,
                    multicast: true,
                },
                now,
            )
            .is_ok()
    }

    #[test]
    fn a_burst_and_then_one_with_each_interval() {
        let mut limiter = limiter();
        assert_eq!((0..50).filter(|_| admit(&mut limiter, 1, NOW)).count(), 10);
        assert_eq!((0..50).filter(|_| admit(&mut limiter, 1, NOW + 300)).count(), 3);
        assert_eq!((0..50).filter(|_| admit(&mut limiter, 1, NOW + 100_000)).count(), 10);
    }

    #[test]
    fn others_are_served_beside_one_that_floods() {
        let mut limiter = limiter();
        assert_eq!((0..10_000).filter(|_| admit(&mut limiter, 1, NOW)).count(), 10);
        let served = (2..1002).filter(|sender| admit(&mut limiter, *sender, NOW)).count();
        assert!(served >= 998, "{served} of 1000");
    }

    #[test]
    fn a_clock_that_jumps_shuts_nobody_out() {
        let mut limiter = limiter();
        for now in [NOW, 0, i64::MAX, i64::MIN, NOW] {
            assert!((0..50).any(|_| admit(&mut limiter, 1, now)), "{now}");
        }
        assert!(admit(&mut limiter, 1, NOW - 1_000_000));
        assert_eq!((0..50).filter(|_| admit(&mut limiter, 1, NOW - 1_000_000)).count(), 9);
    }

    #[test]
    fn behind_a_relay_each_client_is_measured_for_itself() {
        let mut limiter = limiter();
        let relayed = |peer: u8| {
            let mut datagram = vec![12, 0];
            datagram.extend([0; 16]);
            datagram.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, peer]);
            datagram.extend([0, 9, 0, 4, 1, 0, 0, 1]);
            datagram
        };
        let source = SocketAddrV6::new(1.into(), 547, 0, 1);
        let mut count = |peer: u8| {
            let datagram = relayed(peer);
            let inbound = Inbound {
                datagram: &datagram,
                source,
                multicast: false,
            };
            (0..50).filter(|_| limiter.admit(&inbound, NOW).is_ok()).count()
        };
        assert_eq!((count(1), count(2)), (10, 10));
    }
}
