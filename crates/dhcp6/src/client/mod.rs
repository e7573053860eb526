//! The DHCPv6 client (RFC 9915, section 18.2): a state machine without I/O, without a clock, and with chance from a key.
//!
//! ```text
//!   begin ──▶ Soliciting ──offer──▶ Requesting ──Reply──▶ Bound ──T1──▶ Renewing ──T2──▶ Rebinding
//!    │            ▲  └──Reply, committed rapidly──────────▲ ▲ ▲            │                │
//!    │            │                                       │ │ └───Reply────┴────────────────┤
//!    │ remembered │ refused, nobody answers,              │ └─Success, or no answer         │
//!    ├────────▶ Confirming ───────────────────────────────┼───┘                             │
//!    │            ▲ not on this link, ended, expired      │                                 │
//!    │            └───────────────────────────────────────┴─────────────────────────────────┘
//!    │          Declining ──answered or given up──▶ Soliciting     Releasing ──likewise──▶ Done
//!    └ no leases wanted ──▶ Informing ──Reply──▶ Informed ──refresh──▶ Informing
//! ```
//!
//! The caller's loop: do the [`Action`]s in order; sleep until [`Client::next`] and call [`Client::wake`]; give each
//! datagram to [`Client::take`]. What has expired is withdrawn in every state.
//!
//! Invariants: no bytes make it panic; what it keeps is bounded, whatever servers send; no server can make it send more
//! than a few messages a second: a lease is kept for a second at least, and each try that came to nothing doubles the
//! wait before the next (section 14.1).

mod ask;
mod chance;
mod event;
mod exchange;
mod hear;
mod holdings;
mod inbound;
mod lenient;
mod offers;
mod outbound;
mod settings;

use std::net::Ipv6Addr;
use std::time::Duration;

use chance::Chance;
pub use event::{Action, Bound, Configuration, Event, How, Loss, ServerStatus};
use exchange::Exchange;
pub use holdings::{Holdings, Lease};
pub use inbound::Ignored;
use offers::{Offer, Offers};
pub use settings::{ClientSettings, Wants};

use crate::{Duid, Leased};

/// A DHCPv6 client.
#[derive(Debug, Clone)]
pub struct Client {
    settings: ClientSettings,
    chance: Chance,
    state: State,
    holdings: Option<Holdings>,
    configuration: Configuration,
    solicit_max_rt: Duration,
    information_max_rt: Duration,
    /// How often in a row there was no lease: each makes the next try wait for longer.
    setbacks: u32,
    /// Before this time no server makes it ask again: milliseconds since 1970.
    heedless_until: i64,
}

/// Where it stands. What is in `Exchange` is sent until it is answered.
#[derive(Debug, Clone)]
enum State {
    Soliciting {
        exchange: Exchange,
        offers: Offers,
    },
    Requesting {
        exchange: Exchange,
        offer: Offer,
        others: Offers,
    },
    Confirming {
        exchange: Exchange,
    },
    Bound,
    Renewing {
        exchange: Exchange,
    },
    Rebinding {
        exchange: Exchange,
    },
    Declining {
        exchange: Exchange,
        server: Duid,
        address: Ipv6Addr,
    },
    Releasing {
        exchange: Exchange,
        given_back: Holdings,
    },
    Informing {
        exchange: Exchange,
    },
    Informed {
        until: i64,
    },
    Done,
}

impl Client {
    /// A client that begins now, with what it remembers of an earlier life.
    ///
    /// The key is random: from it come transaction ids and pauses. Times are milliseconds since 1970, of a clock that
    /// does not jump.
    pub fn new(settings: ClientSettings, key: [u8; 16], remembered: Option<Holdings>, now: i64) -> Self {
        let mut client = Self {
            settings,
            chance: Chance::new(key),
            state: State::Done,
            holdings: None,
            configuration: Configuration::default(),
            solicit_max_rt: exchange::MAX_RT,
            information_max_rt: exchange::MAX_RT,
            setbacks: 0,
            heedless_until: i64::MIN,
        };
        client.holdings = remembered.and_then(|remembered| client.still_wanted(remembered, now));
        client.begin(now);
        client
    }

    /// When [`wake`](Self::wake) is to be called next, in milliseconds since 1970; nothing when never.
    pub fn next(&self) -> Option<i64> {
        let end = self.holdings.as_ref().and_then(Holdings::first_end);
        let due = match &self.state {
            State::Informed { until } => Some(*until),
            State::Bound => self.holdings.as_ref().map(|held| held.renew_at),
            State::Renewing { exchange } => {
                let rebind_at = self.holdings.as_ref().map(|held| held.rebind_at);
                Some(rebind_at.map_or(exchange.due(), |at| at.min(exchange.due())))
            }
            state => state.exchange().map(Exchange::due),
        };
        let next = due.into_iter().chain(end).min();
        next.filter(|next| *next < i64::MAX)
    }

    /// Whether it has ended: all is given back.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Its leases, to be kept over a restart.
    pub fn holdings(&self) -> Option<&Holdings> {
        self.holdings.as_ref()
    }

    /// Begins anew with what it has: the link went away and is there again, or is another (section 18.2.12).
    pub fn reattach(&mut self, now: i64) {
        if !matches!(self.state, State::Releasing { .. } | State::Done) {
            self.begin(now);
        }
    }

    /// Someone else uses an address: it is refused (section 18.2.8).
    pub fn decline(&mut self, address: Ipv6Addr, now: i64) -> Vec<Action> {
        let leased = Leased::Address(address);
        let Some(held) = self
            .holdings
            .as_mut()
            .filter(|held| held.of(leased.kind()).contains(&leased))
        else {
            return Vec::new();
        };
        held.remove(leased);
        let server = held.server.clone();
        self.forget_nothing();
        self.setbacks += 1;
        self.begin_decline(server, address, now);
        vec![
            Action::Withdraw(leased),
            Action::Tell(Event::Lost {
                leased,
                cause: Loss::Declined,
            }),
        ]
    }

    /// Gives all back, and ends (section 18.2.7). The addresses are withdrawn before that is said.
    pub fn release(&mut self, now: i64) -> Vec<Action> {
        if matches!(self.state, State::Releasing { .. } | State::Done) {
            return Vec::new();
        }
        let Some(given_back) = self.holdings.take() else {
            self.state = State::Done;
            return Vec::new();
        };
        let leased: Vec<Leased> = given_back.leases.iter().map(|lease| lease.leased).collect();
        self.begin_release(given_back, now);
        let withdraw = leased.into_iter().flat_map(|leased| lose(leased, Loss::Released));
        withdraw.collect()
    }

    /// Does what is due at a time.
    pub fn wake(&mut self, now: i64) -> Vec<Action> {
        let mut actions = self.expire(now);
        actions.extend(self.act(now));
        actions
    }

    /// Takes a datagram that came to the client's port.
    ///
    /// # Errors
    ///
    /// Why it is passed over.
    pub fn take(&mut self, datagram: &[u8], now: i64) -> Result<Vec<Action>, Ignored> {
        let mut actions = self.expire(now);
        match self.hear(datagram, now) {
            Ok(more) => actions.extend(more),
            Err(ignored) if actions.is_empty() => return Err(ignored),
            // A message that is ignored still lets expired leases be withdrawn.
            Err(_) => {}
        }
        Ok(actions)
    }

    /// Withdraws expired leases. If none is left, solicits again.
    fn expire(&mut self, now: i64) -> Vec<Action> {
        let Some(held) = &mut self.holdings else {
            return Vec::new();
        };
        let expired = held.take_expired(now);
        if held.leases.is_empty() {
            self.forget_nothing();
            let lives_by_it = matches!(
                self.state,
                State::Bound | State::Renewing { .. } | State::Rebinding { .. } | State::Confirming { .. }
            );
            if lives_by_it {
                self.begin_solicit(now);
            }
        }
        expired
            .into_iter()
            .flat_map(|leased| lose(leased, Loss::Expired))
            .collect()
    }

    /// Forgets who granted nothing.
    fn forget_nothing(&mut self) {
        self.holdings = self.holdings.take().filter(|held| !held.leases.is_empty());
    }

    /// The leases from before a restart that can still be used.
    fn still_wanted(&self, mut remembered: Holdings, now: i64) -> Option<Holdings> {
        let kinds = self.settings.wants.kinds();
        remembered.take_expired(now);
        remembered.leases.retain(|lease| kinds.contains(&lease.leased.kind()));
        let is_of_use = remembered.iaid == self.settings.iaid && !remembered.leases.is_empty();
        is_of_use.then_some(remembered)
    }
}

/// The actions for a lease that has ended.
fn lose(leased: Leased, cause: Loss) -> [Action; 2] {
    [Action::Withdraw(leased), Action::Tell(Event::Lost { leased, cause })]
}

impl State {
    /// What is sent until it is answered.
    fn exchange(&self) -> Option<&Exchange> {
        match self {
            Self::Soliciting { exchange, .. }
            | Self::Requesting { exchange, .. }
            | Self::Confirming { exchange }
            | Self::Renewing { exchange }
            | Self::Rebinding { exchange }
            | Self::Declining { exchange, .. }
            | Self::Releasing { exchange, .. }
            | Self::Informing { exchange } => Some(exchange),
            Self::Bound | Self::Informed { .. } | Self::Done => None,
        }
    }

    fn exchange_mut(&mut self) -> Option<&mut Exchange> {
        match self {
            Self::Soliciting { exchange, .. }
            | Self::Requesting { exchange, .. }
            | Self::Confirming { exchange }
            | Self::Renewing { exchange }
            | Self::Rebinding { exchange }
            | Self::Declining { exchange, .. }
            | Self::Releasing { exchange, .. }
            | Self::Informing { exchange } => Some(exchange),
            Self::Bound | Self::Informed { .. } | Self::Done => None,
        }
    }
}
