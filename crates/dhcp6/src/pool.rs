//! The pools of addresses of a link, and the order in which their addresses are tried.

use std::hash::Hasher;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::{ClassId, Iaid};

/// A range of addresses for clients.
///
/// Some addresses in it are skipped: the link's own and the reserved ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    first: u128,
    last: u128,
    order: Order,
    class: Option<ClassId>,
}

/// The order in which the addresses or prefixes of a pool are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// By a keyed hash of DUID and IAID. Nobody can predict the addresses, and a server that lost its database gives a
    /// client the same address again (RFC 9915, section 13.1; RFC 7943).
    #[default]
    Hashed,
    /// One after the other.
    Sequential,
}

/// The two addresses do not form a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{first} comes after {last}: write the lower address of a pool first")]
pub struct PoolError {
    /// The given first address.
    pub first: Ipv6Addr,
    /// The given last address.
    pub last: Ipv6Addr,
}

impl Pool {
    /// All addresses of a prefix.
    pub fn new(net: Ipv6Net) -> Self {
        Self {
            first: net.network().into(),
            last: net.broadcast().into(),
            order: Order::Hashed,
            class: None,
        }
    }

    /// All addresses from `first` to `last`, both included.
    ///
    /// # Errors
    ///
    /// When `first` comes after `last`.
    pub fn range(first: Ipv6Addr, last: Ipv6Addr) -> Result<Self, PoolError> {
        if first > last {
            return Err(PoolError { first, last });
        }
        Ok(Self {
            first: first.into(),
            last: last.into(),
            order: Order::Hashed,
            class: None,
        })
    }

    /// The same addresses in another order.
    #[must_use]
    pub fn with_order(self, order: Order) -> Self {
        Self { order, ..self }
    }

    /// The same addresses, for clients of this class only.
    #[must_use]
    pub fn for_class(self, class: ClassId) -> Self {
        let class = Some(class);
        Self { class, ..self }
    }

    /// Whether clients of this class, or without one, get its addresses.
    pub(crate) fn serves(&self, class: Option<ClassId>) -> bool {
        self.class.is_none() || self.class == class
    }

    /// The lowest address.
    pub fn first(&self) -> Ipv6Addr {
        self.first.into()
    }

    /// The highest address.
    pub fn last(&self) -> Ipv6Addr {
        self.last.into()
    }

    /// The order in which its addresses are tried.
    pub fn order(&self) -> Order {
        self.order
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: Ipv6Addr) -> bool {
        (self.first..=self.last).contains(&address.into())
    }

    /// Whether two pools have an address in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// The number of its addresses; 2¹²⁸ − 1 if there are more.
    pub fn size(&self) -> u128 {
        (self.last - self.first).saturating_add(1)
    }

    /// The address to try for an identity association; each attempt gives another.
    pub(crate) fn candidate(&self, key: &[u8; 16], duid: &[u8], iaid: Iaid, attempt: u32) -> Ipv6Addr {
        (self.first + keyed_hash(key, duid, iaid, attempt, &[]) % self.size()).into()
    }
}

/// A number for an identity association that nobody can predict without the key. Each attempt and salt gives another.
pub(crate) fn keyed_hash(key: &[u8; 16], duid: &[u8], iaid: Iaid, attempt: u32, salt: &[u8]) -> u128 {
    let mut hasher = SipHasher24::new_with_key(key);
    // The length prevents that one client's DUID and IAID are read as another's.
    hasher.write_u64(u64::try_from(duid.len()).unwrap_or(u64::MAX).to_le());
    hasher.write(duid);
    hasher.write_u32(iaid.0.to_le());
    hasher.write_u32(attempt.to_le());
    hasher.write(salt);
    hasher.finish128().as_u128()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(text: &str) -> Pool {
        Pool::new(text.parse().unwrap())
    }

    #[test]
    fn candidates_are_in_the_pool_and_stay_the_same() {
        let pool = pool("2001:db8::1:0/112");
        for attempt in 0..100 {
            assert!(pool.contains(pool.candidate(&[7; 16], b"duid", Iaid(1), attempt)));
        }
        // Exactly this address, for ever: another hash would renumber every client that has lost its binding.
        assert_eq!(
            pool.candidate(&[7; 16], b"duid", Iaid(1), 0).to_string(),
            "2001:db8::1:2625"
        );
    }

    #[test]
    fn candidates_depend_on_key_client_and_association() {
        let pool = pool("2001:db8::/64");
        let one = pool.candidate(&[7; 16], b"duid", Iaid(1), 0);
        assert_ne!(one, pool.candidate(&[8; 16], b"duid", Iaid(1), 0));
        assert_ne!(one, pool.candidate(&[7; 16], b"dui", Iaid(1), 0));
        assert_ne!(one, pool.candidate(&[7; 16], b"duid", Iaid(2), 0));
        assert_ne!(one, pool.candidate(&[7; 16], b"duid", Iaid(1), 1));
    }

    #[test]
    fn sizes() {
        assert_eq!(pool("2001:db8::/128").size(), 1);
        assert_eq!(pool("2001:db8::/64").size(), 1 << 64);
        assert_eq!(pool("::/0").size(), u128::MAX);
        assert!(pool("::/0").contains(pool("::/0").candidate(&[1; 16], b"duid", Iaid(0), 0)));
        let (low, high) = ("::1".parse().unwrap(), "::2".parse().unwrap());
        assert_eq!(Pool::range(low, high).unwrap().size(), 2);
        assert_eq!(Pool::range(high, low), Err(PoolError { first: high, last: low }));
    }

    #[test]
    fn overlaps() {
        assert!(pool("2001:db8::/64").overlaps(&pool("2001:db8::1:0/112")));
        assert!(!pool("2001:db8::1:0/112").overlaps(&pool("2001:db8::2:0/112")));
    }
}
