//! Whether a connection waits for its peer or for the daemon.
//!
//! ```text
//!          the head is complete         the body is there        the whole answer is in hyper's buffer
//!   Head ──────────────────────▶ Body ───────────────────▶ Answer ──────────────────────────▶ Buffered
//!    ▲                                                                                            │
//!    └───────────────────────────────── the buffer is written ────────────────────────────────────┘
//! ```
//!
//! Two decisions need it. A connection that waits for its peer may be closed to make room for another; a connection
//! whose peer waits for the daemon may not. And bytes that hyper writes in `Head` are an answer of hyper's own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// The next step of the peer. When there is no room, connections are closed in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wait {
    /// Send a request, or the rest of its head.
    Head,
    /// Send the rest of a body.
    Body,
    /// Read the answer.
    Reader,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Head,
    Body,
    Answer,
    Buffered,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    /// When writes stopped making headway.
    stalled: Option<Instant>,
    /// Whether bytes came since the last answer.
    begun: bool,
}

/// The state of one connection's present exchange.
#[derive(Debug)]
pub(super) struct Exchange(Mutex<State>);

impl Default for Exchange {
    fn default() -> Self {
        Self(Mutex::new(State {
            phase: Phase::Head,
            since: Instant::now(),
            stalled: None,
            begun: false,
        }))
    }
}

impl Exchange {
    /// Records that bytes came.
    pub(super) fn received(&self) {
        self.state().begun = true;
    }

    /// Records that the head is complete.
    pub(super) fn requested(&self) {
        self.enter(Phase::Body);
    }

    /// Records that the body is complete, or will not be read.
    pub(super) fn body_received(&self) {
        self.enter(Phase::Answer);
    }

    /// Records that the whole answer was passed to hyper.
    pub(super) fn buffered(&self) {
        self.enter(Phase::Buffered);
    }

    /// Records that everything that hyper had was written.
    pub(super) fn flushed(&self) {
        if self.state().phase == Phase::Buffered {
            self.enter(Phase::Head);
        }
    }

    /// Records whether a write made headway.
    pub(super) fn wrote(&self, headway: bool) {
        let mut state = self.state();
        state.stalled = match headway {
            true => None,
            false => state.stalled.or_else(|| Some(Instant::now())),
        };
    }

    /// Whether what is written now belongs to an answer of the daemon.
    pub(super) fn is_answered(&self) -> bool {
        self.state().phase != Phase::Head
    }

    /// Whether a part of a head came.
    pub(super) fn has_begun(&self) -> bool {
        let state = self.state();
        state.phase == Phase::Head && state.begun
    }

    /// The next step of the peer, and since when it is due; `None` when the peer waits for the daemon.
    pub(super) fn awaited(&self) -> Option<(Wait, Instant)> {
        let state = self.state();
        match (state.stalled, state.phase) {
            (Some(since), _) => Some((Wait::Reader, since)),
            (None, Phase::Head) => Some((Wait::Head, state.since)),
            (None, Phase::Body) => Some((Wait::Body, state.since)),
            (None, Phase::Answer | Phase::Buffered) => None,
        }
    }

    fn enter(&self, phase: Phase) {
        let mut state = self.state();
        state.phase = phase;
        state.since = Instant::now();
        state.begun &= phase != Phase::Head;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_waited_for_until_its_request_is_complete_and_while_it_does_not_read() {
        let exchange = Exchange::default();
        let wait = || exchange.awaited().map(|(wait, _)| wait);
        assert_eq!((wait(), exchange.is_answered()), (Some(Wait::Head), false));
        exchange.received();
        assert!(exchange.has_begun());
        exchange.requested();
        assert_eq!((wait(), exchange.is_answered()), (Some(Wait::Body), true));
        exchange.body_received();
        assert_eq!((wait(), exchange.has_begun()), (None, false));
        exchange.wrote(false);
        assert_eq!(wait(), Some(Wait::Reader));
        exchange.wrote(true);
        // An answer in parts is flushed more than once.
        exchange.flushed();
        assert_eq!((wait(), exchange.is_answered()), (None, true));
        exchange.buffered();
        exchange.flushed();
        assert_eq!((wait(), exchange.is_answered()), (Some(Wait::Head), false));
        assert!(!exchange.has_begun());
    }
}
