//! The messages that the client sends, and all transitions that time causes.

use std::net::Ipv6Addr;

use super::exchange::{self, Exchange, Schedule, Turn};
use super::outbound::Outbound;
use super::{Action, Client, Event, Holdings, How, Offer, Offers, State};
use crate::leased::{Kind, Leased};
use crate::{Duid, MessageKind};

/// Each setback doubles the wait before the next try, up to this power of two in seconds.
const MOST_SETBACKS: u32 = 10;

impl Client {
    /// Begins with the leases that it has.
    pub(super) fn begin(&mut self, now: i64) {
        if self.settings.wants.kinds().is_empty() {
            self.begin_inform(now);
        } else if self.holdings.is_some() {
            self.begin_confirm(now);
        } else {
            self.begin_solicit(now);
        }
    }

    /// Begins to solicit servers. After failures it waits first (section 14.1).
    pub(super) fn begin_solicit(&mut self, now: i64) {
        let schedule = exchange::until_answered(self.solicit_max_rt);
        let wait = match self.setbacks {
            0 => 0,
            setbacks => 1000 << setbacks.min(MOST_SETBACKS),
        };
        let delay = wait + self.chance.between(0, exchange::DELAY);
        let exchange = self.exchange_after(MessageKind::Solicit, schedule, now, delay);
        let offers = Offers::default();
        self.state = State::Soliciting { exchange, offers };
    }

    /// Requests an offer from its server.
    pub(super) fn begin_request(&mut self, offer: Offer, others: Offers, now: i64) {
        let exchange = self.exchange(MessageKind::Request, exchange::REQUEST, now);
        self.state = State::Requesting {
            exchange,
            offer,
            others,
        };
    }

    /// Asks whether the leases still fit the link: by Confirm for addresses, and by Rebind for prefixes, because no
    /// server could tell that from the link (section 18.2.12).
    fn begin_confirm(&mut self, now: i64) {
        let has_prefix = self
            .holdings
            .as_ref()
            .is_some_and(|held| !held.of(Kind::Prefix).is_empty());
        let delay = self.chance.between(0, exchange::DELAY);
        let kind = if has_prefix {
            MessageKind::Rebind
        } else {
            MessageKind::Confirm
        };
        let exchange = self.exchange_after(kind, exchange::CONFIRM, now, delay);
        self.state = State::Confirming { exchange };
    }

    /// Asks the server that granted the lease to extend it.
    pub(super) fn begin_renew(&mut self, now: i64) {
        let exchange = self.exchange(MessageKind::Renew, exchange::RENEW, now);
        self.state = State::Renewing { exchange };
    }

    /// Asks any server to extend the leases.
    pub(super) fn begin_rebind(&mut self, now: i64) {
        let exchange = self.exchange(MessageKind::Rebind, exchange::REBIND, now);
        self.state = State::Rebinding { exchange };
    }

    pub(super) fn begin_decline(&mut self, server: Duid, address: Ipv6Addr, now: i64) {
        let exchange = self.exchange(MessageKind::Decline, exchange::DECLINE, now);
        self.state = State::Declining {
            exchange,
            server,
            address,
        };
    }

    pub(super) fn begin_release(&mut self, given_back: Holdings, now: i64) {
        let exchange = self.exchange(MessageKind::Release, exchange::RELEASE, now);
        self.state = State::Releasing { exchange, given_back };
    }

    fn begin_inform(&mut self, now: i64) {
        let schedule = exchange::until_answered(self.information_max_rt);
        let delay = self.chance.between(0, exchange::DELAY);
        let exchange = self.exchange_after(MessageKind::InformationRequest, schedule, now, delay);
        self.state = State::Informing { exchange };
    }

    fn exchange(&mut self, kind: MessageKind, schedule: Schedule, now: i64) -> Exchange {
        self.exchange_after(kind, schedule, now, 0)
    }

    fn exchange_after(&mut self, kind: MessageKind, schedule: Schedule, now: i64, delay: i64) -> Exchange {
        Exchange::new(kind, schedule, now, delay, &mut self.chance)
    }

    /// Acts on everything that is due.
    pub(super) fn act(&mut self, now: i64) -> Vec<Action> {
        self.pass_times(now);
        if let Some(best) = self.chosen(now) {
            let others = match &mut self.state {
                State::Soliciting { offers, .. } => std::mem::take(offers),
                _ => Offers::default(),
            };
            self.begin_request(best, others, now);
        }
        let Some(exchange) = self.state.exchange_mut() else {
            return Vec::new();
        };
        match exchange.take_turn(now, &mut self.chance) {
            Turn::Wait => Vec::new(),
            Turn::Send(elapsed) => vec![Action::Send(self.say(elapsed))],
            Turn::GiveUp => self.give_up(now),
        }
    }

    /// Handles T1, T2 and the time to ask for configuration again.
    fn pass_times(&mut self, now: i64) {
        let held = self.holdings.as_ref();
        let is_past = |at: fn(&Holdings) -> i64| held.is_some_and(|held| at(held) <= now);
        match &self.state {
            State::Bound | State::Renewing { .. } if is_past(|held| held.rebind_at) => {
                self.setbacks = 0;
                self.begin_rebind(now);
            }
            // The lease has lasted until now, so earlier setbacks do not count any more.
            State::Bound if is_past(|held| held.renew_at) => {
                self.setbacks = 0;
                self.begin_renew(now);
            }
            State::Informed { until } if *until <= now => self.begin_inform(now),
            _ => {}
        }
    }

    /// The best offer, once the first pause with any offers is over (section 18.2.1).
    fn chosen(&mut self, now: i64) -> Option<Offer> {
        match &mut self.state {
            State::Soliciting { exchange, offers } if exchange.is_sent() && exchange.due() <= now => offers.take_best(),
            _ => None,
        }
    }

    /// The message of the present state.
    fn say(&self, elapsed: u16) -> Vec<u8> {
        let Some(exchange) = self.state.exchange() else {
            return Vec::new();
        };
        let message = Outbound::new(&self.settings, exchange, elapsed);
        let held = |kind| self.holdings.as_ref().map_or_else(Vec::new, |held| held.of(kind));
        let server = self.holdings.as_ref().map(|held| &held.server);
        match &self.state {
            State::Soliciting { .. } => message.ask().commit_rapidly().associate_all(held),
            State::Requesting { offer, .. } => message
                .addressed_to(Some(&offer.server))
                .ask()
                .associate_some(|kind| offer.of(kind)),
            State::Confirming { exchange } if exchange.kind == MessageKind::Confirm => message.associate_some(held),
            State::Confirming { .. } | State::Rebinding { .. } => message.ask().associate_all(held),
            State::Renewing { .. } => message.addressed_to(server).ask().associate_all(held),
            State::Declining { server, address, .. } => message
                .addressed_to(Some(server))
                .associate(Kind::Address, &[Leased::Address(*address)]),
            State::Releasing { given_back, .. } => message
                .addressed_to(Some(&given_back.server))
                .associate_some(|kind| given_back.of(kind)),
            State::Informing { .. } => message.ask(),
            State::Bound | State::Informed { .. } | State::Done => message,
        }
        .encode()
    }

    /// Continues after the last retransmission got no answer.
    fn give_up(&mut self, now: i64) -> Vec<Action> {
        let unanswered = self
            .state
            .exchange()
            .map(|exchange| Action::Tell(Event::Unanswered(exchange.kind)));
        let mut actions: Vec<Action> = unanswered.into_iter().collect();
        match &mut self.state {
            State::Requesting { others, .. } => {
                let others = std::mem::take(others);
                self.try_another(others, now);
            }
            // The leases may be used until their lifetimes end (section 18.2.3).
            State::Confirming { .. } => actions.extend(self.resume(How::Confirmed)),
            State::Releasing { .. } => actions.push(self.end()),
            _ => self.begin_solicit(now),
        }
        actions.extend(self.act(now));
        actions
    }

    /// Requests the next best offer. Without one, it solicits again.
    pub(super) fn try_another(&mut self, mut others: Offers, now: i64) {
        match others.take_best() {
            Some(offer) => self.begin_request(offer, others, now),
            None => {
                self.setbacks += 1;
                self.begin_solicit(now);
            }
        }
    }

    pub(super) fn end(&mut self) -> Action {
        self.state = State::Done;
        Action::Tell(Event::Released)
    }
}
