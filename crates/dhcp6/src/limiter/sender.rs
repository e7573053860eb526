//! The rate limit of each sender, for other protocols than DHCPv6.

use std::net::Ipv6Addr;
use std::num::NonZeroU32;

use super::bucket::Measure;
use super::senders::Senders;

/// Limits how many messages of each sender are handled, with a fixed amount of memory.
#[derive(Debug, Clone)]
pub struct SenderLimiter {
    senders: Senders,
}

impl SenderLimiter {
    /// A sustained limit of so many messages per second, with bursts of twice as many. The key must be secret, so that
    /// nobody can choose with whom they share a limit.
    pub fn new(key: [u8; 16], rate: NonZeroU32) -> Self {
        Self {
            senders: Senders::new(key, Measure::new(rate)),
        }
    }

    /// Counts a message that came at this time, in milliseconds of any clock that does not stand still. Returns `false` if
    /// it exceeds the limit.
    pub fn admit(&mut self, sender: Ipv6Addr, now: i64) -> bool {
        // The unit is finer than the clock's, because a bucket may drain more than once a millisecond.
        self.senders.admit(sender, now.saturating_mul(1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sender_has_its_burst_and_then_its_rate() {
        let mut limiter = SenderLimiter::new([7; 16], NonZeroU32::new(5).unwrap());
        let mut count = |sender: u128, now| (0..50).filter(|_| limiter.admit(sender.into(), now)).count();
        assert_eq!((count(1, 0), count(1, 0), count(2, 0)), (10, 0, 10));
        assert_eq!(count(1, 1000), 5);
    }
}
