//! Places for connections, and which connection is closed when none is left.
//!
//! A new connection always gets a place as long as some other connection makes the daemon wait: that one is closed. A
//! peer that has used up its share loses one of its own connections. If all places are taken, the peer with the most
//! connections loses one. Within a peer, idle connections are closed first, then unfinished bodies, then readers that
//! do not read; the oldest of a kind comes first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::exchange::Exchange;
use super::peer::Peer;

/// The total number of connections, turns and streams for all peers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Capacity {
    pub(super) connections: usize,
    pub(super) requests: usize,
    pub(super) streams: usize,
}

/// The share of one peer: three quarters, so that some is left for others.
pub(super) fn share_of(whole: usize) -> usize {
    (whole * 3).div_ceil(4)
}

/// The state that all connections of one peer share.
#[derive(Debug)]
pub(super) struct Share {
    /// A permit for each request that is answered.
    pub(super) requests: Semaphore,
    /// A permit for each stream of events and each read that blocks.
    pub(super) streams: Arc<Semaphore>,
    /// The number of these permits when none is taken.
    most_streams: usize,
}

impl Share {
    /// The share of one peer.
    pub(super) fn of(capacity: Capacity) -> Arc<Self> {
        Self::new(share_of(capacity.requests), share_of(capacity.streams))
    }

    /// A share of so many requests and streams.
    pub(super) fn new(requests: usize, streams: usize) -> Arc<Self> {
        Arc::new(Self {
            requests: Semaphore::new(requests),
            streams: Arc::new(Semaphore::new(streams)),
            most_streams: streams,
        })
    }

    /// The streams that the peer has now.
    pub(super) fn open_streams(&self) -> usize {
        self.most_streams.saturating_sub(self.streams.available_permits())
    }
}

/// The places of one listener. A cheap handle.
#[derive(Debug, Clone)]
pub(super) struct Places {
    capacity: Capacity,
    /// Connections of one peer at most.
    share: usize,
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    seats: BTreeMap<u64, Seat>,
}

#[derive(Debug)]
struct Seat {
    peer: Peer,
    exchange: Arc<Exchange>,
    share: Arc<Share>,
    close: CancellationToken,
    closed: CancellationToken,
}

/// A taken place. It becomes free when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    number: u64,
    /// The state of the connection's exchange.
    pub(super) exchange: Arc<Exchange>,
    /// The state that it shares with the other connections of its peer.
    pub(super) share: Arc<Share>,
    /// Cancelled when the place is given to another: the connection has to end at once.
    pub(super) close: CancellationToken,
    closed: CancellationToken,
}

/// A new place, and the connection that was closed for it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) place: Place,
    /// Cancelled once the closed connection is gone; `None` if no connection was closed.
    pub(super) evicted: Option<CancellationToken>,
}

impl Places {
    pub(super) fn new(capacity: Capacity, share: usize) -> Self {
        Self {
            capacity,
            share,
            table: Arc::default(),
        }
    }

    /// Takes a place for a connection of `peer`; `None` if no place is free and every peer waits for the daemon.
    pub(super) fn enter(&self, peer: Peer) -> Option<Entry> {
        let mut table = self.table();
        let own = table.seats.values().filter(|seat| seat.peer == peer).count();
        let evicted = if own >= self.share {
            Some(table.evict(|seat| seat.peer == peer)?)
        } else if table.seats.len() >= self.capacity.connections {
            Some(table.evict(|_| true)?)
        } else {
            None
        };
        let place = self.sit(&mut table, peer);
        Some(Entry { place, evicted })
    }

    fn sit(&self, table: &mut Table, peer: Peer) -> Place {
        let known = table.seats.values().find(|seat| seat.peer == peer);
        let share = known.map_or_else(|| Share::of(self.capacity), |seat| seat.share.clone());
        let number = table.next;
        table.next += 1;
        let seat = Seat {
            peer,
            exchange: Arc::default(),
            share,
            close: CancellationToken::new(),
            closed: CancellationToken::new(),
        };
        let place = Place {
            places: self.clone(),
            number,
            exchange: seat.exchange.clone(),
            share: seat.share.clone(),
            close: seat.close.clone(),
            closed: seat.closed.clone(),
        };
        table.seats.insert(number, seat);
        place
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Takes the place of a connection that makes the daemon wait, among those that are `eligible`.
    fn evict(&mut self, eligible: impl Fn(&Seat) -> bool) -> Option<CancellationToken> {
        let mut counts: BTreeMap<Peer, usize> = BTreeMap::new();
        for seat in self.seats.values() {
            *counts.entry(seat.peer).or_default() += 1;
        }
        let waiting = self.seats.iter().filter(|(_, seat)| eligible(seat));
        let ranked = waiting.filter_map(|(number, seat)| {
            let (wait, since) = seat.exchange.awaited()?;
            let count = counts.get(&seat.peer).copied().unwrap_or_default();
            Some((std::cmp::Reverse(count), wait, since, *number))
        });
        let (.., number) = ranked.min()?;
        let seat = self.seats.remove(&number)?;
        seat.close.cancel();
        Some(seat.closed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Gone already where the place was given to another.
        self.places.table().seats.remove(&self.number);
        self.closed.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    const ONE: Peer = Peer::Process { uid: 0, pid: 1 };
    const OTHER: Peer = Peer::Process { uid: 0, pid: 2 };
    const THIRD: Peer = Peer::Process { uid: 1, pid: 3 };

    fn places(connections: usize, share: usize) -> Places {
        let capacity = Capacity {
            connections,
            requests: 16,
            streams: 64,
        };
        Places::new(capacity, share)
    }

    /// Enters one second after the call before.
    async fn enter(places: &Places, peer: Peer) -> Place {
        advance(Duration::from_secs(1)).await;
        places.enter(peer).expect("a place").place
    }

    fn is_closed(place: &Place) -> bool {
        place.close.is_cancelled()
    }

    #[test]
    fn a_share_leaves_something_and_is_never_nothing() {
        assert_eq!([0, 1, 2, 16, 64, 256].map(share_of), [0, 1, 2, 12, 48, 192]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_pays_for_more_than_its_share_with_its_oldest_idle_connection() {
        let places = places(8, 3);
        let other = enter(&places, OTHER).await;
        let busy = enter(&places, ONE).await;
        busy.exchange.requested();
        busy.exchange.body_received();
        let (oldest, newer) = (enter(&places, ONE).await, enter(&places, ONE).await);
        let entry = places.enter(ONE).expect("a place");
        assert_eq!(
            [&other, &busy, &oldest, &newer].map(is_closed),
            [false, false, true, false]
        );
        // The connection is gone when its place is dropped, and not before.
        let evicted = entry.evicted.expect("a connection is closed");
        assert!(!evicted.is_cancelled());
        drop(oldest);
        assert!(evicted.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn idle_goes_before_unfinished_and_unfinished_before_unread() {
        let places = places(3, 3);
        let unread = enter(&places, ONE).await;
        unread.exchange.requested();
        unread.exchange.body_received();
        unread.exchange.wrote(false);
        let unfinished = enter(&places, ONE).await;
        unfinished.exchange.requested();
        let idle = enter(&places, ONE).await;
        let mut later = Vec::new();
        for expected in [[false, false, true], [false, true, true], [true, true, true]] {
            let place = enter(&places, ONE).await;
            place.exchange.requested();
            place.exchange.body_received();
            later.push(place);
            assert_eq!([&unread, &unfinished, &idle].map(is_closed), expected);
        }
        // All of them wait for the daemon now.
        assert!(places.enter(ONE).is_none() && places.enter(OTHER).is_none());
        drop(later.pop());
        assert!(places.enter(OTHER).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_peer_with_the_most_connections_pays_when_all_places_are_taken() {
        let places = places(4, 3);
        let modest = enter(&places, OTHER).await;
        let first = enter(&places, ONE).await;
        let rest = [enter(&places, ONE).await, enter(&places, ONE).await];
        let _new = enter(&places, THIRD).await;
        assert_eq!(
            [&modest, &first, &rest[0], &rest[1]].map(is_closed),
            [false, true, false, false]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn connections_of_a_peer_have_turns_and_streams_in_common() {
        let places = places(4, 3);
        let (first, second, other) = (
            enter(&places, ONE).await,
            enter(&places, ONE).await,
            enter(&places, OTHER).await,
        );
        assert!(Arc::ptr_eq(&first.share, &second.share) && !Arc::ptr_eq(&first.share, &other.share));
        assert_eq!(first.share.requests.available_permits(), 12);
        assert_eq!(first.share.streams.available_permits(), 48);
    }
}
