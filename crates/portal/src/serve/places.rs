//! Places for connections: bounded in all, and for each peer.

use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Limits;

/// Why a connection gets no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// All places are taken.
    All,
    /// The peer has as many as one peer may have.
    Peer,
}

impl Full {
    /// A word for a counter.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::All => "full",
            Self::Peer => "too-many-of-one",
        }
    }
}

/// The places of a listener. A cheap handle.
#[derive(Clone, Default)]
pub(super) struct Places {
    taken: Arc<Mutex<HashMap<Ipv6Addr, usize>>>,
}

/// A taken place. It is free again when this is dropped.
pub(super) struct Taken {
    places: Places,
    share: Ipv6Addr,
}

impl Places {
    /// Takes a place for a peer.
    pub(super) fn take(&self, share: Ipv6Addr, limits: &Limits) -> Result<Taken, Full> {
        let mut taken = self.lock();
        if taken.values().sum::<usize>() >= limits.connections {
            return Err(Full::All);
        }
        let of_peer = taken.entry(share).or_default();
        if *of_peer >= limits.connections_each {
            return Err(Full::Peer);
        }
        *of_peer += 1;
        let places = self.clone();
        Ok(Taken { places, share })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Ipv6Addr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        if let Some(of_peer) = taken.get_mut(&self.share) {
            *of_peer -= 1;
            if *of_peer == 0 {
                taken.remove(&self.share);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_in_all_and_for_each_peer_and_come_back() {
        let limits = Limits {
            connections: 3,
            connections_each: 2,
            ..Limits::default()
        };
        let peer = |last: u16| Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 0, last);
        let places = Places::default();
        let first = places.take(peer(1), &limits).ok();
        let _second = places.take(peer(1), &limits).ok();
        assert_eq!(places.take(peer(1), &limits).err(), Some(Full::Peer));
        let third = places.take(peer(2), &limits).ok();
        assert_eq!(places.take(peer(3), &limits).err(), Some(Full::All));
        drop(first);
        assert!(places.take(peer(3), &limits).is_ok());
        drop(third);
        assert_eq!(places.lock().len(), 1, "nothing is kept of those who left");
    }
}
