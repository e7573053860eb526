//! Reconfigures that are under way (RFC 9915, section 18.3.11).
//!
//! ```text
//!              begin          due: sent, and twice as long to the next     the client asks
//!   nothing ─────────▶ under way ──────────┐                ───────────────────────────────▶ answered
//!                          ▲───────────────┘                 eight were in vain
//!                                                           ───────────────────────────────▶ given up
//! ```
//!
//! The replay detection number is the time in milliseconds; it also rises between several messages of one millisecond.
//! After a restart it continues from the clock. If the clock was set back meanwhile, clients ignore Reconfigures until
//! it has caught up, or until they begin a new lease and get a key with another number.

use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::time::Duration;

use orchestrator_dhcp6::{Discard, MessageKind, RECONFIGURE_ATTEMPTS, RECONFIGURE_TIMEOUT, Reconfigure, Server};
use tokio::time::Instant;

use super::contacts::Route;
use orchestrator_model::Duid;

/// The number of clients of a link that are reconfigured at the same time.
const MOST: usize = 256;

/// The reason why a client is not reconfigured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReconfigured {
    /// The client's link has no listener now.
    #[error("the daemon's own DHCPv6 server does not serve this client's link now")]
    NotServed,
    /// The client has sent nothing in this run of the daemon, so that its address is unknown.
    #[error(
        "the client has sent nothing since the listener started, or it has left; it can be reconfigured after its next Request or Renew"
    )]
    NotHeard,
    /// The client did not send Reconfigure Accept, or the settings forbid reconfiguring.
    #[error(
        "the client does not accept it: no Reconfigure Accept option in its last message, or `reconfigure = false` on its link; it asks by itself when half of its lease is over"
    )]
    NotAccepted,
    /// The client accepts it, but did not get the key with which a Reconfigure is signed.
    #[error(
        "the client accepts it but does not have the key to verify it: the Reply with the key was not sent; the client gets the key in the Reply to its next Request, Renew or Rebind: try again then"
    )]
    NoKey,
    /// The way back through the client's relays is too long to be remembered, or was forgotten.
    #[error(
        "the client is behind relays, and the way back through them is not known any more; try after its next message"
    )]
    BehindRelay,
    /// As many clients as allowed are being reconfigured.
    #[error("{MOST} clients of the link are being reconfigured; try again in some minutes")]
    TooMany,
    /// The message cannot be built.
    #[error("cannot make a Reconfigure for the client")]
    Unmade(#[source] Discard),
}

impl NotReconfigured {
    /// A stable word for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::NotServed => "not-served",
            Self::NotHeard => "not-heard",
            Self::NotAccepted => "not-accepted",
            Self::NoKey => "no-key",
            Self::BehindRelay => "behind-relay",
            Self::TooMany => "too-many",
            Self::Unmade(_) => "unmade",
        }
    }
}

/// A Reconfigure that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconfiguring {
    /// Its link-local address.
    pub client: Ipv6Addr,
    /// Whether it is sent through relays.
    pub relayed: bool,
}

/// The Reconfigures of a link that are under way.
pub(super) struct Reconfigurations {
    under_way: HashMap<Duid, Attempts>,
    /// The last replay detection number.
    last: i64,
}

/// A Reconfigure that is repeated until it is answered.
struct Attempts {
    what: Reconfigure,
    route: Route,
    left: u32,
    wait: Duration,
    due: Instant,
}

/// The next action for a Reconfigure.
#[derive(Debug)]
pub(super) enum Due {
    /// Send it.
    Send {
        duid: Duid,
        what: Reconfigure,
        route: Route,
    },
    /// Give up, because the client has not answered.
    GivenUp { duid: Duid, what: Reconfigure },
}

impl Reconfigurations {
    pub(super) fn new() -> Self {
        Self {
            under_way: HashMap::new(),
            last: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Begins a Reconfigure, whose first message is due at once. One that is under way for the client starts again.
    pub(super) fn begin(
        &mut self,
        duid: Duid,
        what: Reconfigure,
        route: Route,
        now: Instant,
    ) -> Result<(), NotReconfigured> {
        if self.under_way.len() >= MOST && !self.under_way.contains_key(&duid) {
            return Err(NotReconfigured::TooMany);
        }
        let attempts = Attempts {
            what,
            route,
            left: RECONFIGURE_ATTEMPTS,
            wait: RECONFIGURE_TIMEOUT,
            due: now,
        };
        self.under_way.insert(duid, attempts);
        Ok(())
    }

    /// When the next message is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.under_way.values().map(|attempts| attempts.due).min()
    }

    /// Takes all actions that are due.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Due> {
        let due = self.under_way.iter().filter(|(_, attempts)| attempts.due <= now);
        let due: Vec<Duid> = due.map(|(duid, _)| duid.clone()).collect();
        due.into_iter().filter_map(|duid| self.attempt(duid, now)).collect()
    }

    fn attempt(&mut self, duid: Duid, now: Instant) -> Option<Due> {
        let attempts = self.under_way.get_mut(&duid)?;
        let what = attempts.what;
        if attempts.left == 0 {
            self.under_way.remove(&duid);
            return Some(Due::GivenUp { duid, what });
        }
        attempts.left -= 1;
        attempts.due = now + attempts.wait;
        attempts.wait *= 2;
        let route = attempts.route.clone();
        Some(Due::Send { duid, what, route })
    }

    /// Whether the message answers the Reconfigure. If so, it ends.
    pub(super) fn is_answered(&mut self, duid: &Duid, kind: MessageKind) -> bool {
        let asked = self.under_way.get(duid);
        let is_answer = asked.is_some_and(|attempts| attempts.what.is_answered_by(kind));
        is_answer && self.under_way.remove(duid).is_some()
    }

    /// Ends all Reconfigures, because clients may not be reconfigured any more.
    pub(super) fn clear(&mut self) {
        self.under_way.clear();
    }

    /// A signed Reconfigure with its relay headers. Its number is higher than that of every message before.
    pub(super) fn sign(
        &mut self,
        server: &Server,
        duid: &Duid,
        what: Reconfigure,
        route: &Route,
        now: i64,
    ) -> Result<Vec<u8>, Discard> {
        // A Reply may already have used this millisecond.
        self.last = now.max(self.last).saturating_add(1);
        let message = server.reconfigure(duid, what, self.last)?;
        match &route.back {
            Some(back) => back.wrap(message),
            None => Ok(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV6;
    use std::sync::Weak;

    use super::*;

    fn duid(number: u16) -> Duid {
        let [high, low] = number.to_be_bytes();
        Duid::new([0, 4, high, low]).unwrap()
    }

    fn route() -> Route {
        let client = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
        Route {
            client,
            port: Weak::new(),
            to: SocketAddrV6::new(client, 546, 0, 0),
            back: None,
        }
    }

    #[test]
    fn row_69_eight_times_each_pause_twice_the_one_before_and_then_given_up() {
        let mut reconfigurations = Reconfigurations::new();
        let (start, what) = (Instant::now(), Reconfigure::Renew);
        reconfigurations.begin(duid(1), what, route(), start).unwrap();
        let mut sent = Vec::new();
        while let Some(due) = reconfigurations.next() {
            for step in reconfigurations.take_due(due) {
                sent.push((due.duration_since(start).as_secs(), matches!(step, Due::Send { .. })));
            }
        }
        let times = [0, 2, 6, 14, 30, 62, 126, 254].map(|at| (at, true));
        assert_eq!(sent, [&times[..], &[(510, false)]].concat());
    }

    #[test]
    fn it_ends_with_the_message_that_was_asked_for() {
        use MessageKind::{InformationRequest, Rebind, Renew, Request};
        for (what, answers) in [
            (Reconfigure::Renew, &[Renew, Rebind][..]),
            (Reconfigure::Rebind, &[Rebind]),
            (Reconfigure::InformationRequest, &[InformationRequest]),
        ] {
            for kind in [Renew, Rebind, InformationRequest, Request] {
                let mut reconfigurations = Reconfigurations::new();
                reconfigurations.begin(duid(1), what, route(), Instant::now()).unwrap();
                assert!(!reconfigurations.is_answered(&duid(2), kind));
                assert_eq!(reconfigurations.is_answered(&duid(1), kind), answers.contains(&kind));
                assert_eq!(reconfigurations.is_empty(), answers.contains(&kind));
            }
        }
    }

    #[test]
    fn so_many_at_once_and_no_more() {
        let mut reconfigurations = Reconfigurations::new();
        let mut begin = |number| reconfigurations.begin(duid(number), Reconfigure::Renew, route(), Instant::now());
        for number in 0..256 {
            begin(number).unwrap();
        }
        assert_eq!(begin(256), Err(NotReconfigured::TooMany));
        assert_eq!(begin(0), Ok(()));
    }

    #[test]
    fn row_70_the_number_rises_whatever_the_clock_does() {
        let server = Server::new(duid(9), [7; 16]);
        let mut reconfigurations = Reconfigurations::new();
        let mut numbers = Vec::new();
        for now in [5, 5, 5, 100, 1, 0, -1, 101] {
            let message = reconfigurations.sign(&server, &duid(1), Reconfigure::Renew, &route(), now);
            let message = message.unwrap();
            let at = message.windows(3).position(|window| window == [3, 1, 0]).unwrap() + 3;
            numbers.push(u64::from_be_bytes(message[at..at + 8].try_into().unwrap()));
        }
        assert!(
            numbers[0] > 5 && numbers.windows(2).all(|pair| pair[0] < pair[1]),
            "{numbers:?}"
        );
    }
}
