//! The messages that the client receives, and the transitions that they cause.

use dhcproto::v6::MessageType;

use super::inbound::{Granted, ServerMessage};
use super::{Action, Bound, Client, Event, Holdings, How, Ignored, Loss, Offer, State, lose};
use crate::lifetime::until;
use crate::{Duid, MessageKind};

/// Status codes that cause a reaction (RFC 9915, section 21.13).
const UNSPEC_FAIL: u16 = 1;
const NO_BINDING: u16 = 3;
const NOT_ON_LINK: u16 = 4;

/// The default and the least time until configuration is requested again, in seconds (section 21.23).
const REFRESH: u32 = 86_400;
const LEAST_REFRESH: u32 = 600;

/// How long after a Reconfigure further ones are ignored, in milliseconds, so that no server can cause a flood of
/// messages.
const HEEDLESS: i64 = 1000;

impl Client {
    /// Validates a datagram (section 16), and reacts to it.
    pub(super) fn hear(&mut self, datagram: &[u8], now: i64) -> Result<Vec<Action>, Ignored> {
        let message = ServerMessage::read(datagram)?;
        if message.kind == MessageType::Reconfigure {
            return self.hear_reconfigure(datagram, &message, now);
        }
        let exchange = self.state.exchange().filter(|exchange| exchange.is_sent());
        let Some(exchange) = exchange else {
            return Err(Ignored::NotAwaited(message.kind.into()));
        };
        if message.transaction != exchange.transaction {
            return Err(Ignored::OtherTransaction);
        }
        if message.client != Some(self.settings.duid.as_bytes()) {
            return Err(Ignored::OtherClient);
        }
        let asked = exchange.kind;
        self.check_server(&message)?;
        self.note_max_rt(&message);
        match (message.kind, asked) {
            (MessageType::Advertise, MessageKind::Solicit) => self.hear_advertise(&message, now),
            // A lease by rapid commit counts only if the client asked for that (section 18.2.1).
            (MessageType::Reply, MessageKind::Solicit) if !(self.settings.rapid_commit && message.rapid_commit) => {
                Err(Ignored::NotAwaited(message.kind.into()))
            }
            (MessageType::Reply, _) => Ok(self.hear_reply(&message, now)),
            _ => Err(Ignored::NotAwaited(message.kind.into())),
        }
    }

    /// When one server was asked, only that server may answer.
    fn check_server(&self, message: &ServerMessage<'_>) -> Result<(), Ignored> {
        let asked: Option<&Duid> = match &self.state {
            State::Requesting { offer, .. } => Some(&offer.server),
            State::Renewing { .. } => self.holdings.as_ref().map(|held| &held.server),
            State::Declining { server, .. } => Some(server),
            State::Releasing { given_back, .. } => Some(&given_back.server),
            _ => None,
        };
        match asked.is_none_or(|asked| *asked == message.server) {
            true => Ok(()),
            false => Err(Ignored::OtherServer),
        }
    }

    /// This applies even to an Advertise that offers nothing (section 18.2.9).
    fn note_max_rt(&mut self, message: &ServerMessage<'_>) {
        self.solicit_max_rt = message.solicit_max_rt.unwrap_or(self.solicit_max_rt);
        self.information_max_rt = message.information_max_rt.unwrap_or(self.information_max_rt);
        match &mut self.state {
            State::Soliciting { exchange, .. } => exchange.limit_pauses(self.solicit_max_rt),
            State::Informing { exchange } => exchange.limit_pauses(self.information_max_rt),
            _ => {}
        }
    }

    fn hear_advertise(&mut self, message: &ServerMessage<'_>, now: i64) -> Result<Vec<Action>, Ignored> {
        let offer = Offer::read(message, &self.settings).ok_or(Ignored::NothingOffered)?;
        let State::Soliciting { exchange, offers } = &mut self.state else {
            return Err(Ignored::NotAwaited(message.kind.into()));
        };
        let report = Action::Tell(Event::Offered {
            server: offer.server.clone(),
            preference: offer.preference,
        });
        let is_enough = offer.is_taken_at_once() || exchange.is_repeated();
        offers.note(offer);
        if !is_enough {
            return Ok(vec![report]);
        }
        let mut others = std::mem::take(offers);
        if let Some(best) = others.take_best() {
            self.begin_request(best, others, now);
        }
        Ok(vec![report])
    }

    fn hear_reply(&mut self, message: &ServerMessage<'_>, now: i64) -> Vec<Action> {
        let refusals = message.refusals().map(|status| {
            Action::Tell(Event::Refused {
                server: message.server.clone(),
                status: status.clone(),
            })
        });
        let mut actions: Vec<Action> = match self.state {
            // The answer to a Release or Decline changes nothing for the client.
            State::Releasing { .. } | State::Declining { .. } => Vec::new(),
            _ => refusals.collect(),
        };
        let own = self.own(&message.associations);
        match &mut self.state {
            State::Soliciting { .. } => actions.extend(self.bind(How::Granted, message, &own, now)),
            // The client asks again later, as if there had been no answer (section 18.2.10).
            State::Requesting { .. } | State::Renewing { .. } | State::Rebinding { .. }
                if message.status.as_ref().is_some_and(|status| status.code == UNSPEC_FAIL) => {}
            State::Requesting { others, .. } => {
                if own
                    .iter()
                    .any(|granted| granted.leases.iter().any(|lease| lease.valid > 0))
                {
                    actions.extend(self.bind(How::Granted, message, &own, now));
                } else {
                    let others = std::mem::take(others);
                    self.try_another(others, now);
                }
            }
            State::Confirming { exchange } if exchange.kind == MessageKind::Confirm => {
                actions.extend(self.hear_confirmation(message, now));
            }
            State::Confirming { .. } | State::Rebinding { .. } => {
                actions.extend(self.hear_extension(How::Rebound, message, &own, now));
            }
            State::Renewing { .. } => actions.extend(self.hear_extension(How::Renewed, message, &own, now)),
            State::Declining { .. } => self.begin_solicit(now),
            State::Releasing { .. } => actions.push(self.end()),
            State::Informing { .. } => actions.push(self.hear_information(message, now)),
            State::Bound | State::Informed { .. } | State::Done => {}
        }
        actions
    }

    /// The client's own associations.
    fn own(&self, associations: &[Granted]) -> Vec<Granted> {
        let kinds = self.settings.wants.kinds();
        let own = associations.iter().filter(|granted| granted.iaid == self.settings.iaid);
        own.filter(|granted| kinds.contains(&granted.kind)).cloned().collect()
    }

    /// Handles a Reconfigure (sections 16.11 and 18.2.11). The client renews or rebinds at once. It ignores the
    /// Reconfigure during another exchange, and when it has no lease of that server.
    fn hear_reconfigure(
        &mut self,
        datagram: &[u8],
        message: &ServerMessage<'_>,
        now: i64,
    ) -> Result<Vec<Action>, Ignored> {
        if message.client != Some(self.settings.duid.as_bytes()) {
            return Err(Ignored::OtherClient);
        }
        let held = self.holdings.as_mut().filter(|held| held.server == message.server);
        let held = held.ok_or(Ignored::OtherServer)?;
        let (what, at) = message.reconfigure.ok_or(Ignored::NotSigned)?;
        let key = held.reconfigure_key.as_mut().ok_or(Ignored::NotSigned)?;
        if !key.admit(datagram, at) {
            return Err(Ignored::NotSigned);
        }
        if !matches!(self.state, State::Bound) || now < self.heedless_until {
            return Err(Ignored::NotNow);
        }
        self.heedless_until = now.saturating_add(HEEDLESS);
        match what {
            MessageType::Renew => self.begin_renew(now),
            MessageType::Rebind => self.begin_rebind(now),
            _ => return Err(Ignored::NotNow),
        }
        Ok(Vec::new())
    }

    /// Handles the answer to a Confirm (section 18.2.10.3).
    fn hear_confirmation(&mut self, message: &ServerMessage<'_>, now: i64) -> Vec<Action> {
        if !message.has_status(NOT_ON_LINK) {
            return self.resume(How::Confirmed);
        }
        let lost = self.holdings.take().map_or_else(Vec::new, |held| held.leases);
        self.begin_solicit(now);
        let lost = lost.into_iter().flat_map(|lease| lose(lease.leased, Loss::NotOnLink));
        lost.collect()
    }

    /// Handles the answer to a Renew or Rebind (section 18.2.10.1).
    fn hear_extension(&mut self, how: How, message: &ServerMessage<'_>, own: &[Granted], now: i64) -> Vec<Action> {
        let knows_nothing = own.iter().any(|granted| {
            granted.leases.is_empty() && granted.status.as_ref().is_some_and(|status| status.code == NO_BINDING)
        });
        if let Some(held) = self.holdings.as_ref().filter(|_| knows_nothing) {
            let offer = Offer {
                server: message.server.clone(),
                preference: 0,
                leased: held.leases.iter().map(|lease| lease.leased).collect(),
            };
            self.begin_request(offer, super::Offers::default(), now);
            return Vec::new();
        }
        if own.iter().all(|granted| granted.leases.is_empty()) {
            // As if there had been no answer: the next transmission asks the same or other servers.
            return Vec::new();
        }
        self.bind(how, message, own, now)
    }

    /// Adopts the leases that a server granted, extended or ended.
    fn bind(&mut self, how: How, message: &ServerMessage<'_>, own: &[Granted], now: i64) -> Vec<Action> {
        let mut held = self
            .holdings
            .take()
            .unwrap_or_else(|| Holdings::new(message.server.clone(), self.settings.iaid));
        if held.server != message.server {
            held.server = message.server.clone();
            held.reconfigure_key = None;
        }
        if self.settings.reconfigure && message.reconfigure_key.is_some() {
            held.reconfigure_key = message.reconfigure_key.clone();
        }
        let ended = held.take(own, now);
        let mut actions: Vec<Action> = ended.into_iter().flat_map(|leased| lose(leased, Loss::Ended)).collect();
        if held.leases.is_empty() {
            self.setbacks += 1;
            self.begin_solicit(now);
            return actions;
        }
        self.holdings = Some(held);
        self.configuration = message.configuration.clone();
        actions.extend(self.resume(how));
        actions
    }

    /// Continues with the present leases.
    pub(super) fn resume(&mut self, how: How) -> Vec<Action> {
        self.state = State::Bound;
        let Some(held) = &self.holdings else {
            return Vec::new();
        };
        let bound = Bound {
            how,
            server: held.server.clone(),
            leases: held.leases.clone(),
            renew_at: held.renew_at,
            rebind_at: held.rebind_at,
            configuration: self.configuration.clone(),
        };
        let assign = held.leases.iter().map(|lease| Action::Assign(*lease));
        assign.chain([Action::Tell(Event::Bound(bound))]).collect()
    }

    fn hear_information(&mut self, message: &ServerMessage<'_>, now: i64) -> Action {
        let refresh = message.information_refresh.unwrap_or(REFRESH).max(LEAST_REFRESH);
        let until = until(now, refresh);
        self.state = State::Informed { until };
        self.configuration = message.configuration.clone();
        Action::Tell(Event::Informed {
            server: message.server.clone(),
            configuration: message.configuration.clone(),
            until,
        })
    }
}
