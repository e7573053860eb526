//! The DHCPv6 client (RFC 9915, section 18.2): a state machine without I/O, without a clock, and with chance from a
//! key.
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
//! The caller's loop: carry out the [`Action`]s in order; sleep until [`Client::next`] and call [`Client::wake`]; pass
//! each datagram to [`Client::take`]. Expired leases are withdrawn in every state.
//!
//! Invariants: no bytes make it panic; its memory is limited, whatever servers send; no server can make it send more
//! than a few messages a second, because a lease is kept for at least a second, and each failed try doubles the wait
//! before the next (section 14.1).

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
    /// The number of failed tries in a row. Each makes the next wait longer.
    setbacks: u32,
    /// Until this time Reconfigures are ignored: milliseconds since 1970.
    heedless_until: i64,
}

/// The state of the client. The message in `Exchange` is sent until it is answered.
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
    /// A client that begins now, with the leases that it remembers from an earlier run.
    ///
    /// The key must be random: transaction ids and pauses are derived from it. Times are milliseconds since 1970, of a
    /// clock that does not jump.
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

    /// When [`wake`](Self::wake) must be called next, in milliseconds since 1970; `None` for never.
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

    /// Whether it has ended and all leases are released.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Its leases, to be stored over a restart.
    pub fn holdings(&self) -> Option<&Holdings> {
        self.holdings.as_ref()
    }

    /// Begins again with its leases, because the link was down or may be another one (section 18.2.12).
    pub fn reattach(&mut self, now: i64) {
        if !matches!(self.state, State::Releasing { .. } | State::Done) {
            self.begin(now);
        }
    }

    /// Declines an address, because another machine uses it (section 18.2.8).
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

    /// Releases all leases, and ends (section 18.2.7). The addresses are withdrawn before the Release is sent.
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

    /// Acts on everything that is due at this time.
    pub fn wake(&mut self, now: i64) -> Vec<Action> {
        let mut actions = self.expire(now);
        actions.extend(self.act(now));
        actions
    }

    /// Handles a datagram that arrived on the client's port.
    ///
    /// # Errors
    ///
    /// The reason, if it is ignored.
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

    /// Forgets a server that granted nothing.
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
    /// The message that is sent until it is answered.
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
