//! The origins of clients' messages: the bridge port and the link-layer address that a message came from.
//!
//! A UDP socket shows neither. The kernel logs both for each message before it delivers the message ([`OriginLog`]), so
//! that the record can be read as soon as the message can. Nothing waits for a record: if it is missing when a lease is
//! committed, the origin stays unknown until the client's next message.
//!
//! A record belongs to a message if bridge, source address and all bytes are equal. If two ports sent the same bytes
//! from the same address, both records match, and neither is used.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::net::if_::if_indextoname;
use orchestrator_network::{OriginLog, OriginRecord};
use tokio::time::Instant;

use orchestrator_model::LinkLayerAddress;
use orchestrator_runtime::metrics::Metrics;

/// The number of records that are kept: as many messages may wait in a listener's socket. The oldest are dropped first.
const KEPT: usize = 4096;
/// The number of other servers that are kept until a listener takes them.
const SERVERS: usize = 64;
/// The largest age of a record. A message that waited longer in the socket has no origin.
const AGE: Duration = Duration::from_secs(5);

/// The origin of a client's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The link-layer address of the frame.
    pub link_layer: LinkLayerAddress,
    /// The name of the bridge port.
    pub port: String,
}

/// Another DHCPv6 server that answers clients on a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ObservedServer {
    /// The index of the bridge.
    bridge: u32,
    /// The index of the bridge port.
    port: u32,
    /// The link-layer address of its frames.
    pub(super) link_layer: [u8; 6],
    /// The address that it sends from.
    pub(super) address: Ipv6Addr,
}

impl ObservedServer {
    /// The name of its bridge port, if that is still there.
    pub(super) fn port(&self) -> Option<String> {
        if_indextoname(self.port).ok()?.into_string().ok()
    }
}

/// The records of all links, if the kernel logs any. A cheap handle.
#[derive(Clone)]
pub struct Origins {
    inner: Arc<Inner>,
}

struct Inner {
    metrics: Metrics,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    log: Option<OriginLog>,
    recent: Recent,
    /// Other servers that were observed, until their link's listener takes them.
    servers: Vec<ObservedServer>,
}

impl Origins {
    /// Origins without a log: all are unknown.
    pub fn new(metrics: Metrics) -> Self {
        let state = Mutex::default();
        Self {
            inner: Arc::new(Inner { metrics, state }),
        }
    }

    /// Reads from this log from now on, or from none.
    pub fn set_log(&self, log: Option<OriginLog>) {
        *self.lock() = State {
            log,
            recent: Recent::default(),
            servers: Vec::new(),
        };
    }

    /// Whether there is a log. A log that fails is dropped.
    pub fn has_log(&self) -> bool {
        self.lock().log.is_some()
    }

    /// Reads new records of the kernel, without waiting. Call it after messages were read from their socket. Returns the
    /// other servers that were observed on this bridge.
    pub(super) fn gather(&self, bridge: u32) -> Vec<ObservedServer> {
        let mut state = self.lock();
        let State { log, recent, servers } = &mut *state;
        let Some(open) = log else { return Vec::new() };
        let now = Instant::now();
        let take = |record: &OriginRecord<'_>| match record.from_server {
            true => note_server(servers, record),
            false => recent.add(record, now),
        };
        match open.receive(take) {
            Ok(received) if received.lost => self.inner.metrics.origins_lost(),
            Ok(_) => {}
            Err(fault) => {
                tracing::warn!(
                    error = &fault as &dyn std::error::Error,
                    "the log of bridge ports failed; it is opened anew"
                );
                *log = None;
            }
        }
        servers.extract_if(.., |server| server.bridge == bridge).collect()
    }

    /// The index of the bridge port of a message that was read on a bridge, if it is known.
    pub(super) fn port_of(&self, bridge: u32, source: Ipv6Addr, message: &[u8]) -> Option<u32> {
        let state = self.lock();
        state.log.as_ref()?;
        match state.recent.find(bridge, source, message, Instant::now())? {
            Seen::At { port, .. } => Some(port),
            Seen::AtSeveral => None,
        }
    }

    /// The origin of a message that was read on a bridge, given by its index. Counts unknown origins.
    pub(super) fn find(&self, bridge: u32, source: Ipv6Addr, message: &[u8]) -> Option<Origin> {
        let found = {
            let state = self.lock();
            state.log.as_ref()?;
            state.recent.find(bridge, source, message, Instant::now())
        };
        let named = found.and_then(|seen| match seen {
            Seen::At { port, link_layer } => {
                // The port may be gone by now.
                let port = if_indextoname(port).ok()?.into_string().ok()?;
                let link_layer = LinkLayerAddress::new(link_layer).ok()?;
                Some(Origin { link_layer, port })
            }
            Seen::AtSeveral => None,
        });
        self.inner.metrics.origin(match (&named, found) {
            (Some(_), _) => "known",
            (None, Some(Seen::AtSeveral)) => "ambiguous",
            (None, _) => "unknown",
        });
        named
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can panic half-way through a change.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps another server that was observed, unless it is kept already or too many are.
fn note_server(servers: &mut Vec<ObservedServer>, record: &OriginRecord<'_>) {
    let server = ObservedServer {
        bridge: record.bridge,
        port: record.port,
        link_layer: record.link_layer,
        address: record.source,
    };
    if servers.len() < SERVERS && !servers.contains(&server) {
        servers.push(server);
    }
}

/// The last records, by a keyed hash, so that no client can cause collisions.
#[derive(Default)]
struct Recent {
    hasher: RandomState,
    seen: HashMap<u64, (Instant, Seen)>,
    /// The keys in order of arrival.
    order: VecDeque<u64>,
}

/// The origins of the records with one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    At { port: u32, link_layer: [u8; 6] },
    AtSeveral,
}

impl Recent {
    fn key(&self, bridge: u32, source: Ipv6Addr, message: &[u8]) -> u64 {
        self.hasher.hash_one((bridge, source, message))
    }

    fn add(&mut self, record: &OriginRecord<'_>, now: Instant) {
        let key = self.key(record.bridge, record.source, record.message);
        let seen = Seen::At {
            port: record.port,
            link_layer: record.link_layer,
        };
        match self.seen.entry(key) {
            Entry::Occupied(mut known) => {
                let (at, before) = known.get_mut();
                *before = match *before != seen && now.duration_since(*at) < AGE {
                    true => Seen::AtSeveral,
                    false => seen,
                };
                *at = now;
            }
            Entry::Vacant(place) => {
                place.insert((now, seen));
                self.order.push_back(key);
            }
        }
        while self.order.len() > KEPT {
            if let Some(oldest) = self.order.pop_front() {
                self.seen.remove(&oldest);
            }
        }
    }

    fn find(&self, bridge: u32, source: Ipv6Addr, message: &[u8], now: Instant) -> Option<Seen> {
        let (at, seen) = self.seen.get(&self.key(bridge, source, message))?;
        (now.duration_since(*at) < AGE).then_some(*seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

    fn record(port: u32, message: &[u8]) -> OriginRecord<'_> {
        OriginRecord {
            bridge: 1,
            port,
            link_layer: [2, 0, 0, 0, 0, 9],
            source: CLIENT,
            message,
            from_server: false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_record_belongs_to_the_message_with_the_same_bridge_source_and_bytes() {
        let (mut recent, now) = (Recent::default(), Instant::now());
        recent.add(&record(7, b"request"), now);
        let seen = Seen::At {
            port: 7,
            link_layer: [2, 0, 0, 0, 0, 9],
        };
        assert_eq!(recent.find(1, CLIENT, b"request", now), Some(seen));
        assert_eq!(recent.find(2, CLIENT, b"request", now), None);
        assert_eq!(recent.find(1, CLIENT, b"requesT", now), None);
        assert_eq!(recent.find(1, "fe80::2".parse().unwrap(), b"request", now), None);
        assert_eq!(recent.find(1, CLIENT, b"request", now + AGE), None, "it is too old");
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_ports_that_say_the_same_none_is_believed_until_time_has_passed() {
        let (mut recent, now) = (Recent::default(), Instant::now());
        recent.add(&record(7, b"request"), now);
        recent.add(&record(7, b"request"), now);
        assert!(matches!(
            recent.find(1, CLIENT, b"request", now),
            Some(Seen::At { port: 7, .. })
        ));
        recent.add(&record(8, b"request"), now);
        assert_eq!(recent.find(1, CLIENT, b"request", now), Some(Seen::AtSeveral));
        recent.add(&record(7, b"request"), now);
        assert_eq!(recent.find(1, CLIENT, b"request", now), Some(Seen::AtSeveral));
        recent.add(&record(8, b"request"), now + AGE);
        assert!(matches!(
            recent.find(1, CLIENT, b"request", now + AGE),
            Some(Seen::At { port: 8, .. })
        ));
    }

    #[test]
    fn other_servers_are_kept_once_and_a_flood_of_them_takes_a_fixed_amount_of_memory() {
        let mut servers = Vec::new();
        for n in 0..3 * SERVERS {
            for _ in 0..2 {
                note_server(&mut servers, &record(u32::try_from(n).unwrap(), b"advertise"));
            }
        }
        assert_eq!(servers.len(), SERVERS);
        assert_eq!((servers[1].port, servers[1].address), (1, CLIENT));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_records_takes_a_fixed_amount_of_memory_and_the_last_ones_are_kept() {
        let (mut recent, now) = (Recent::default(), Instant::now());
        for n in 0..3 * KEPT {
            recent.add(&record(7, &n.to_be_bytes()), now);
        }
        assert_eq!((recent.seen.len(), recent.order.len()), (KEPT, KEPT));
        assert!(recent.find(1, CLIENT, &(3 * KEPT - 1).to_be_bytes(), now).is_some());
        assert_eq!(recent.find(1, CLIENT, &0_usize.to_be_bytes(), now), None);
    }
}
