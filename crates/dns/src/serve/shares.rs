//! Shares of something that is bounded: in all, and for each peer.

use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The shares that are taken. A cheap handle.
#[derive(Debug, Clone)]
pub(super) struct Shares {
    most: usize,
    most_each: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    of: HashMap<Ipv6Addr, usize>,
}

/// A share. It is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Shares,
    peer: Ipv6Addr,
}

impl Shares {
    /// So many in all, and so many for each peer.
    pub(super) fn new(most: usize, most_each: usize) -> Self {
        Self {
            most,
            most_each,
            taken: Arc::default(),
        }
    }

    /// Takes a share for a peer; `None` if all are taken, or as many as one peer may have.
    pub(super) fn take(&self, peer: Ipv6Addr) -> Option<Share> {
        let mut taken = self.lock();
        if taken.all >= self.most {
            return None;
        }
        let of_peer = taken.of.entry(peer).or_default();
        if *of_peer >= self.most_each {
            return None;
        }
        *of_peer += 1;
        taken.all += 1;
        let shares = self.clone();
        Some(Share { shares, peer })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.shares.lock();
        taken.all = taken.all.saturating_sub(1);
        if let Some(of_peer) = taken.of.get_mut(&self.peer) {
            *of_peer = of_peer.saturating_sub(1);
            if *of_peer == 0 {
                taken.of.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_bounded_in_all_and_for_each_peer_and_come_back() {
        let peer = |last: u16| Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 0, last);
        let shares = Shares::new(3, 2);
        let first = shares.take(peer(1));
        let _second = shares.take(peer(1)).unwrap();
        assert!(shares.take(peer(1)).is_none(), "it has its two");
        let third = shares.take(peer(2));
        assert!(third.is_some() && shares.take(peer(3)).is_none(), "all are taken");
        drop(first);
        assert!(shares.take(peer(3)).is_some());
        drop(third);
        assert_eq!(shares.lock().of.len(), 1, "nothing is kept of those who left");
    }
}
