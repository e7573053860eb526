//! The prefixes that may be delegated on a link (RFC 9915, section 13.2; RFC 9663).

use ipnet::Ipv6Net;

use crate::pool::keyed_hash;
use crate::{ClassId, Iaid, Order};

/// The longest prefix that is delegated, so that a client can form addresses in it (RFC 9663, section 8).
pub const LONGEST_PREFIX: u8 = 64;

/// Makes the hash of prefixes differ from the hash of addresses, so that neither can be derived from the other.
const SALT: &[u8] = b"prefix";

/// A pool of prefixes: one prefix that is divided into prefixes of one length, each for an identity association.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixPool {
    prefix: Ipv6Net,
    length: u8,
    excluded: Option<Excluded>,
    class: Option<ClassId>,
    order: Order,
}

/// The part of each delegated prefix that its client must not use (RFC 6603).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Excluded {
    length: u8,
    number: u128,
}

/// The pool of prefixes is not possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PrefixPoolError {
    /// The delegated length is longer than a client can use, or not longer than the pool itself.
    #[error("prefixes of {length} bits cannot be delegated from {prefix}: take {} to {LONGEST_PREFIX}", prefix.prefix_len())]
    Length {
        /// The pool.
        prefix: Ipv6Net,
        /// The length that was given.
        length: u8,
    },
    /// The excluded prefix is not inside a delegated prefix.
    #[error("prefix number {number} of {length} bits is no part of a delegated prefix of {delegated}")]
    Excluded {
        /// Length of the delegated prefixes.
        delegated: u8,
        /// Length of the excluded one.
        length: u8,
        /// The number of the excluded prefix.
        number: u128,
    },
}

impl PrefixPool {
    /// A pool of all prefixes of this length in `prefix`.
    ///
    /// # Errors
    ///
    /// When the length is shorter than the prefix's, or longer than [`LONGEST_PREFIX`].
    pub fn new(prefix: Ipv6Net, length: u8) -> Result<Self, PrefixPoolError> {
        if (prefix.prefix_len()..=LONGEST_PREFIX).contains(&length) {
            Ok(Self {
                prefix: prefix.trunc(),
                length,
                excluded: None,
                class: None,
                order: Order::Hashed,
            })
        } else {
            Err(PrefixPoolError::Length { prefix, length })
        }
    }

    /// The same pool with an excluded part of each delegated prefix (RFC 6603). The part is given by its length and its
    /// number among all parts of that length, counted from 0.
    ///
    /// # Errors
    ///
    /// When a delegated prefix has no such part.
    pub fn with_excluded(self, length: u8, number: u128) -> Result<Self, PrefixPoolError> {
        let delegated = self.length;
        if length > delegated && length <= 128 && number >> (length - delegated).min(127) == 0 {
            let excluded = Some(Excluded { length, number });
            Ok(Self { excluded, ..self })
        } else {
            Err(PrefixPoolError::Excluded {
                delegated,
                length,
                number,
            })
        }
    }

    /// The same pool, for clients of this class only.
    #[must_use]
    pub fn for_class(self, class: ClassId) -> Self {
        let class = Some(class);
        Self { class, ..self }
    }

    /// Whether clients of this class, or without one, get its prefixes.
    pub(crate) fn serves(&self, class: Option<ClassId>) -> bool {
        self.class.is_none() || self.class == class
    }

    /// Whether it is for clients of one class only.
    pub(crate) fn is_of_class(&self) -> bool {
        self.class.is_some()
    }

    /// The same prefixes in another order.
    #[must_use]
    pub fn with_order(self, order: Order) -> Self {
        Self { order, ..self }
    }

    /// The order in which its prefixes are tried.
    pub fn order(&self) -> Order {
        self.order
    }

    /// The prefix of the whole pool.
    pub fn prefix(&self) -> Ipv6Net {
        self.prefix
    }

    /// Length of the prefixes that are delegated.
    pub fn length(&self) -> u8 {
        self.length
    }

    /// Whether a prefix is one of those that are delegated.
    pub fn contains(&self, prefix: Ipv6Net) -> bool {
        prefix.prefix_len() == self.length && self.prefix.contains(&prefix)
    }

    /// How well the length of its prefixes matches a client's hint; the smallest value matches best (RFC 8168).
    ///
    /// The best is the hinted length, then the nearest shorter prefix, then a longer one.
    pub(crate) fn rank(&self, hint: u8) -> (bool, u8) {
        let hint = hint.min(LONGEST_PREFIX);
        (self.length > hint, self.length.abs_diff(hint))
    }

    /// The prefix to try for an identity association; each attempt gives another.
    pub(crate) fn candidate(&self, key: &[u8; 16], duid: &[u8], iaid: Iaid, attempt: u32) -> Ipv6Net {
        self.nth(keyed_hash(key, duid, iaid, attempt, SALT) % self.size())
    }

    /// The first of its prefixes.
    pub(crate) fn first(&self) -> Ipv6Net {
        self.nth(0)
    }

    /// The last of its prefixes.
    pub(crate) fn last(&self) -> Ipv6Net {
        self.nth(self.size() - 1)
    }

    /// The prefix that comes this many after the first.
    pub(crate) fn nth(&self, number: u128) -> Ipv6Net {
        let host_bits = u32::from(128 - self.length);
        let address = u128::from(self.prefix.network()) | number << host_bits;
        // The length is that of a prefix, so this cannot fail.
        Ipv6Net::new(address.into(), self.length).unwrap_or(self.prefix)
    }

    /// The body of the option OPTION_PD_EXCLUDE (RFC 6603, section 4.2): the length of the excluded prefix, and its
    /// bits beyond the delegated prefix, left-aligned.
    pub(crate) fn exclusion(&self) -> Option<Vec<u8>> {
        let Excluded { length, number } = self.excluded?;
        let bits = length - self.length;
        let subnet = number << (128 - u32::from(bits)).min(127);
        let octets = usize::from(bits).div_ceil(8);
        Some([&[length], &subnet.to_be_bytes()[..octets]].concat())
    }

    /// The number of prefixes in it.
    fn size(&self) -> u128 {
        1 << (self.length - self.prefix.prefix_len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(prefix: &str, length: u8) -> PrefixPool {
        PrefixPool::new(prefix.parse().unwrap(), length).unwrap()
    }

    #[test]
    fn candidates_are_in_the_pool_and_stay_the_same() {
        let pool = pool("2001:db8:1::/48", 60);
        for attempt in 0..100 {
            assert!(pool.contains(pool.candidate(&[7; 16], b"duid", Iaid(1), attempt)));
        }
        // Exactly this prefix, for ever: another hash would renumber every client that has lost its binding.
        assert_eq!(
            pool.candidate(&[7; 16], b"duid", Iaid(1), 0).to_string(),
            "2001:db8:1:5e0::/60"
        );
    }

    #[test]
    fn first_and_last() {
        let whole = pool("2001:db8:1::/48", 64);
        assert_eq!(whole.first().to_string(), "2001:db8:1::/64");
        assert_eq!(whole.last().to_string(), "2001:db8:1:ffff::/64");
        let one = pool("2001:db8:1::/48", 48);
        assert_eq!((one.first(), one.last()), (one.prefix(), one.prefix()));
    }

    #[test]
    fn lengths_are_those_of_parts_that_clients_can_use() {
        let prefix = "2001:db8:1::/48".parse().unwrap();
        for length in [0, 47, 65, 128, 255] {
            assert_eq!(
                PrefixPool::new(prefix, length),
                Err(PrefixPoolError::Length { prefix, length })
            );
        }
    }

    #[test]
    fn more_room_suits_better_than_less() {
        let best = |hint: u8| {
            let mut lengths = [48, 56, 60, 64];
            lengths.sort_by_key(|length| pool("2001:db8::/32", *length).rank(hint));
            lengths
        };
        assert_eq!(best(56), [56, 48, 60, 64]);
        assert_eq!(best(62), [60, 56, 48, 64]);
        assert_eq!(best(40), [48, 56, 60, 64]);
        assert_eq!(best(80), [64, 60, 56, 48]);
    }

    #[test]
    fn exclusions_on_the_wire() {
        let exclusion = |length, number| {
            pool("2001:db8::/32", 56)
                .with_excluded(length, number)
                .unwrap()
                .exclusion()
        };
        assert_eq!(exclusion(64, 0), Some(vec![64, 0]));
        assert_eq!(exclusion(64, 0xff), Some(vec![64, 0xff]));
        // Three bits, from the left.
        assert_eq!(exclusion(59, 0b101), Some(vec![59, 0b1010_0000]));
        assert_eq!(exclusion(65, 0x1ff), Some(vec![65, 0xff, 0x80]));
        assert_eq!(pool("2001:db8::/32", 56).exclusion(), None);
        for (length, number) in [(56, 0), (48, 0), (129, 0), (64, 256)] {
            assert!(pool("2001:db8::/32", 56).with_excluded(length, number).is_err());
        }
    }
}
