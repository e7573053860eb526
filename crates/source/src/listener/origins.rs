//! The origins of clients' messages: the bridge port and the link-layer address that a message came from.
//!
//! A UDP socket shows neither. The kernel marks each message with a hash of both, and logs what a mark means before it
//! delivers the first message that has it ([`OriginLog`]). So the meaning can be read as soon as the message can, and nothing
//! waits for it: if it is missing when a lease is committed, the origin stays unknown until the client's next message.
//!
//! If two ports or link-layer addresses have one mark, neither is used.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::net::if_::if_indextoname;
use orchestrator_model::LinkLayerAddress;
use orchestrator_network::{OriginLog, OriginRecord, OriginSender};
use orchestrator_runtime::metrics::Metrics;

use super::generations::Generations;
use super::others::{ObservedSender, note_sender};

/// The number of marks that are kept at least. The kernel logs a mark again before as many others can be new.
const KEPT: usize = 32_768;

/// The origin of a client's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The link-layer address of the frame.
    pub link_layer: LinkLayerAddress,
    /// The name of the bridge port.
    pub port: String,
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
    marks: Marks,
    /// Other servers and routers that were observed, until their link's listener takes them.
    senders: Vec<ObservedSender>,
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
            ..State::default()
        };
    }

    /// Whether there is a log. A log that fails is dropped.
    pub fn has_log(&self) -> bool {
        self.lock().log.is_some()
    }

    /// Whether marks arrive as they are logged, as far as is known: an older kernel shows none, and a firewall may change
    /// them.
    pub(super) fn are_shown(&self) -> bool {
        let state = self.lock();
        state.log.is_some() && state.marks.are_shown
    }

    /// Reads new records of the kernel, without waiting. Call it after messages were read from their socket. Returns the
    /// other servers and routers that were observed on this bridge.
    pub(super) fn gather(&self, bridge: u32) -> Vec<ObservedSender> {
        let mut state = self.lock();
        let State { log, marks, senders } = &mut *state;
        let Some(open) = log else { return Vec::new() };
        let take = |record: &OriginRecord| match record.mark {
            Some(mark) => marks.learn(mark, record),
            None if record.sender != OriginSender::Client => note_sender(senders, record),
            None => {}
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
        senders.extract_if(.., |sender| sender.bridge == bridge).collect()
    }

    /// The index of the bridge port of a message with this mark, if it is known.
    pub(super) fn port_of(&self, mark: Option<NonZeroU32>) -> Option<u32> {
        match self.lock().marks.meaning(mark?)? {
            Meaning::Place { port, .. } => Some(*port),
            Meaning::Several => None,
        }
    }

    /// The origin of a message with this mark. Counts unknown origins, while there is a log.
    pub(super) fn find(&self, mark: Option<NonZeroU32>) -> Option<Arc<Origin>> {
        let mut state = self.lock();
        state.log.as_ref()?;
        let (outcome, origin) = match mark.and_then(|mark| state.marks.meaning(mark)) {
            Some(Meaning::Place { origin, .. }) => ("known", origin.clone()),
            Some(Meaning::Several) => ("ambiguous", None),
            None => ("unknown", None),
        };
        state.marks.are_shown |= origin.is_some();
        self.inner.metrics.origin(outcome);
        origin
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can panic half-way through a change.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What marks mean, in bounded memory.
struct Marks {
    meanings: Generations<Meaning>,
    /// Whether a message came with a mark that is known.
    are_shown: bool,
}

/// What a mark means.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    /// The index of a port and a link-layer address, and both as an origin, if there was such a port when it was logged.
    Place {
        port: u32,
        link_layer: [u8; 6],
        origin: Option<Arc<Origin>>,
    },
    /// Several of them.
    Several,
}

impl Default for Marks {
    fn default() -> Self {
        Self {
            meanings: Generations::new(KEPT),
            are_shown: false,
        }
    }
}

impl Marks {
    fn learn(&mut self, mark: NonZeroU32, record: &OriginRecord) {
        let meaning = match self.meaning(mark) {
            Some(Meaning::Several) => Meaning::Several,
            Some(Meaning::Place { port, link_layer, .. })
                if (*port, *link_layer) != (record.port, record.link_layer) =>
            {
                Meaning::Several
            }
            // The port may have another name by now.
            _ => Meaning::Place {
                port: record.port,
                link_layer: record.link_layer,
                origin: origin(record),
            },
        };
        self.meanings.keep(&mark, meaning);
    }

    fn meaning(&self, mark: NonZeroU32) -> Option<&Meaning> {
        self.meanings.get(&mark)
    }
}

/// The name of a bridge port, if it is still there.
pub(super) fn port_name(index: u32) -> Option<String> {
    let name = if_indextoname(index).ok()?.into_string().ok()?;
    // The library takes a failure for an empty name.
    (!name.is_empty()).then_some(name)
}

fn origin(record: &OriginRecord) -> Option<Arc<Origin>> {
    let port = port_name(record.port)?;
    let link_layer = LinkLayerAddress::new(record.link_layer).ok()?;
    Some(Arc::new(Origin { link_layer, port }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one interface that every machine has.
    const LOOPBACK: u32 = 1;

    fn record(port: u32, last: u8) -> OriginRecord {
        OriginRecord {
            mark: NonZeroU32::new(5),
            bridge: 1,
            port,
            link_layer: [2, 0, 0, 0, 0, last],
            source: "fe80::1".parse().unwrap(),
            sender: OriginSender::Client,
        }
    }

    fn mark(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    #[test]
    fn a_mark_means_the_port_and_address_that_it_was_logged_with() {
        let mut marks = Marks::default();
        marks.learn(mark(5), &record(LOOPBACK, 9));
        marks.learn(mark(5), &record(LOOPBACK, 9));
        let Some(Meaning::Place { port, origin, .. }) = marks.meaning(mark(5)) else {
            panic!("it is known");
        };
        let origin = origin.as_ref().unwrap();
        assert_eq!((*port, origin.port.as_str()), (LOOPBACK, "lo"));
        assert_eq!(origin.link_layer.as_bytes(), [2, 0, 0, 0, 0, 9]);
        assert_eq!(marks.meaning(mark(6)), None);
    }

    #[test]
    fn a_mark_of_two_places_means_neither() {
        for other in [record(LOOPBACK, 8), record(2, 9)] {
            let mut marks = Marks::default();
            marks.learn(mark(5), &record(LOOPBACK, 9));
            marks.learn(mark(5), &other);
            marks.learn(mark(5), &record(LOOPBACK, 9));
            assert_eq!(marks.meaning(mark(5)), Some(&Meaning::Several));
        }
    }

    #[test]
    fn a_port_that_is_gone_is_no_origin() {
        let mut marks = Marks::default();
        marks.learn(mark(5), &record(i32::MAX.cast_unsigned(), 9));
        assert!(matches!(
            marks.meaning(mark(5)),
            Some(Meaning::Place { origin: None, .. })
        ));
    }
}
