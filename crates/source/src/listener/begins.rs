//! The limit on messages that begin an exchange, for each bridge port.
//!
//! The limit of a link ([`Limiter`](orchestrator_dhcp6::Limiter)) holds whoever sends, and the one of a client holds for one
//! address, of which a stranger has as many as he likes. Without a part for each port, one that floods would have the link
//! answer nobody else.

use std::collections::HashMap;
use std::num::NonZeroU32;

use super::bucket::fill;

/// The types of messages of clients that have a lease or an offer: Request, Renew, Rebind, Release, Decline (RFC 9915, section
/// 7.3).
const CONTINUES: [u8; 5] = [3, 5, 6, 8, 9];
/// What a bucket holds: twice what is admitted in a second, in microseconds.
const CAPACITY: i64 = 2_000_000;
/// Ports that are remembered. A bridge has 1,023; those whose buckets are empty are forgotten beyond this.
const PORTS: usize = 2048;

/// What the clients behind each port of a link begin.
#[derive(Debug, Default)]
pub(super) struct Begins {
    /// When the bucket of each port is empty.
    ports: HashMap<u32, i64>,
}

impl Begins {
    /// Whether a message of this type begins an exchange.
    pub(super) fn counts(kind: u8) -> bool {
        !CONTINUES.contains(&kind)
    }

    /// Counts a message of this type from this port, at a time in milliseconds since 1970. Half of the link's `rate` is for
    /// messages that begin an exchange; `share` is the part of a port of that, in thousandths. Returns `false` if it is over
    /// the limit.
    pub(super) fn admit(&mut self, port: u32, kind: u8, rate: Option<NonZeroU32>, share: u32, now: i64) -> bool {
        let Some(rate) = rate.filter(|_| Self::counts(kind)) else {
            return true;
        };
        let now = now.saturating_mul(1000);
        let thousandths = i64::from(rate.get()).saturating_mul(share.max(1).into());
        let interval = 2_000_000_000 / thousandths.max(1);
        let empty = self.ports.get(&port).copied().unwrap_or(i64::MIN);
        let Some(empty) = fill(empty, now, interval, CAPACITY) else {
            return false;
        };
        self.ports.insert(port, empty);
        if self.ports.len() > PORTS {
            self.ports.retain(|_, empty| *empty > now);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;
    const SOLICIT: u8 = 1;

    fn admitted(begins: &mut Begins, port: u32, kind: u8, now: i64) -> usize {
        let rate = NonZeroU32::new(100);
        (0..1000).filter(|_| begins.admit(port, kind, rate, 500, now)).count()
    }

    #[test]
    fn a_port_begins_its_part_of_the_half_that_is_for_beginners() {
        let mut begins = Begins::default();
        // A quarter of a hundred a second, and twice as many at once.
        assert_eq!(admitted(&mut begins, 1, SOLICIT, NOW), 50);
        assert_eq!(admitted(&mut begins, 1, SOLICIT, NOW + 1000), 25);
        assert_eq!(admitted(&mut begins, 2, SOLICIT, NOW + 1000), 50, "another port");
    }

    #[test]
    fn who_goes_on_is_not_limited_and_no_limit_is_none() {
        let mut begins = Begins::default();
        for kind in CONTINUES {
            assert_eq!(admitted(&mut begins, 1, kind, NOW), 1000);
        }
        assert!((0..1000).all(|_| begins.admit(1, SOLICIT, None, 500, NOW)));
    }
}
