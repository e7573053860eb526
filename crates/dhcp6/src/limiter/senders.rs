//! The rate limit of each sender.
//!
//! Each sender is measured by buckets. Senders share a fixed number of buckets, two for each, which a keyed hash
//! selects. So a sender that floods fills its own, and nobody can choose whose they share. A sender is refused only if
//! both of its buckets are full, so that one flooding neighbour does not shut it out.

use std::fmt;
use std::hash::Hasher;
use std::net::Ipv6Addr;

use siphasher::sip128::{Hasher128, SipHasher24};

use super::bucket::Measure;

/// The number of buckets in each of the two tables, a power of two. If no two senders collide, each costs 16 bytes.
const BUCKETS: usize = 4096;

/// The buckets of all senders.
#[derive(Clone)]
pub(super) struct Senders {
    key: [u8; 16],
    measure: Measure,
    /// The time at which each bucket is empty.
    drained: Vec<i64>,
}

impl Senders {
    pub(super) fn new(key: [u8; 16], measure: Measure) -> Self {
        Self {
            key,
            measure,
            drained: vec![i64::MIN; 2 * BUCKETS],
        }
    }

    /// Counts a message. Returns `false` if it exceeds the limit.
    pub(super) fn admit(&mut self, sender: Ipv6Addr, now: i64) -> bool {
        let (buckets, measure) = (self.buckets(sender), self.measure);
        let has_room = |bucket: &usize| measure.has_room(self.drained[*bucket], now, measure.capacity());
        let admitted = buckets.iter().any(has_room);
        if admitted {
            for bucket in buckets {
                self.drained[bucket] = measure.fill(self.drained[bucket], now);
            }
        }
        admitted
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
impl fmt::Debug for Senders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Senders")
            .field("measure", &self.measure)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV6;
    use std::num::NonZeroU32;

    use crate::{Inbound, Limiter, Rates};

    const NOW: i64 = 1_800_000_000_000;

    /// Ten at once, and five a second.
    fn limiter() -> Limiter {
        let sender = NonZeroU32::new(5);
        Limiter::new([7; 16], Rates { sender, link: None })
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
        assert_eq!((0..50).filter(|_| admit(&mut limiter, 1, NOW + 600)).count(), 3);
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
