//! What is known about the former places of leases whose clients ask from elsewhere.
//!
//! ```text
//!              a message from elsewhere          no answer
//!   (unknown) ─────────────────────────▶ asked ─────────────▶ gone ──▶ the client may take its leases along
//!       ▲                                  │  answers                   │
//!       │                                  └─────────▶ there ──▶ refused │
//!       └────────── each ends after a while ─────────────┴───────────────┘
//! ```
//!
//! The server does no I/O. Its caller asks a place, and reports the result with [`Bindings::settle`].

use std::collections::HashMap;

use crate::{Bindings, Place};

/// The largest number of places that are remembered. Each takes a message that names a client's lease.
const MOST: usize = 1024;
/// How long, in milliseconds, a question may stay without a result.
const ASKED: i64 = 5_000;
/// How long a place that answered counts as occupied. Then it is asked again.
const THERE: i64 = 10_000;
/// How long a place that did not answer counts as empty. A client repeats a Renew after ten seconds (RFC 9915, section
/// 7.6), and one that asks for the first time after one.
const GONE: i64 = 15_000;

/// What is known about a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing, or it is being asked.
    Nothing,
    /// It answered a moment ago.
    There,
    /// It did not answer a moment ago.
    Gone,
}

/// The places that are or were asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Moves(HashMap<Place, (Known, i64)>);

impl Moves {
    fn known(&self, place: &Place, now: i64) -> Known {
        let known = self.0.get(place).filter(|(_, until)| *until > now);
        known.map_or(Known::Nothing, |(known, _)| *known)
    }

    fn ask(&mut self, place: Place, now: i64) -> bool {
        if self.0.get(&place).is_some_and(|(_, until)| *until > now) {
            return false;
        }
        if self.0.len() >= MOST {
            self.0.retain(|_, (_, until)| *until > now);
        }
        if self.0.len() >= MOST {
            return false;
        }
        self.0.insert(place, (Known::Nothing, now.saturating_add(ASKED)));
        true
    }

    fn settle(&mut self, place: Place, is_there: bool, now: i64) {
        let Some(known) = self.0.get_mut(&place) else { return };
        *known = match is_there {
            true => (Known::There, now.saturating_add(THERE)),
            false => (Known::Gone, now.saturating_add(GONE)),
        };
    }
}

impl Bindings {
    /// Records that the caller is about to ask a place, at this time. Returns `false` if it need not: the place is being
    /// asked, or the result is known, or too many others are.
    pub fn ask(&mut self, place: Place, now: i64) -> bool {
        self.moves.ask(place, now)
    }

    /// Records whether a place that was asked has answered. The client's next message is handled accordingly.
    pub fn settle(&mut self, place: Place, is_there: bool, now: i64) {
        self.moves.settle(place, is_there, now);
    }

    pub(crate) fn known_of(&self, place: &Place, now: i64) -> Known {
        self.moves.known(place, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(number: u32) -> Place {
        Place {
            link_local: Some((0xfe80_u128 << 112 | u128::from(number)).into()),
            ..Place::default()
        }
    }

    #[test]
    fn a_place_is_asked_once_and_again_when_the_result_is_old() {
        let mut moves = Moves::default();
        assert_eq!(moves.known(&place(1), 0), Known::Nothing);
        assert!(moves.ask(place(1), 0) && !moves.ask(place(1), ASKED - 1));
        assert!(moves.ask(place(1), ASKED), "the result was lost");
        moves.settle(place(1), true, ASKED);
        assert_eq!(moves.known(&place(1), ASKED + THERE - 1), Known::There);
        assert!(!moves.ask(place(1), ASKED + THERE - 1));
        assert_eq!(moves.known(&place(1), ASKED + THERE), Known::Nothing);
        assert!(moves.ask(place(1), ASKED + THERE));
        moves.settle(place(1), false, 0);
        assert_eq!(moves.known(&place(1), GONE - 1), Known::Gone);
        assert_eq!(moves.known(&place(2), 0), Known::Nothing);
    }

    #[test]
    fn a_result_that_nobody_asked_for_is_not_believed() {
        let mut moves = Moves::default();
        moves.settle(place(1), false, 0);
        assert_eq!(moves.known(&place(1), 0), Known::Nothing);
    }

    #[test]
    fn a_flood_of_places_takes_a_fixed_amount_of_memory_and_passes() {
        let mut moves = Moves::default();
        let asked = (0..10_000).filter(|number| moves.ask(place(*number), 0)).count();
        assert_eq!((asked, moves.0.len()), (MOST, MOST));
        assert!(moves.ask(place(20_000), ASKED), "old questions make room");
    }
}
