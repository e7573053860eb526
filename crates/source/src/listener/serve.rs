//! The loop of a listener: it receives, answers, commits and replies.

mod command;
mod commit;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use orchestrator_dhcp6::{
    Answer, Bindings, Change, Discard, Elsewhere, Inbound, Reconfigure, Refusal, Reservations, Server, Verb,
};
use orchestrator_network::Bridge;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

pub use self::command::Command;
use self::commit::{Made, Pending};
use super::begins::Begins;
use super::directory::{Directory, Listed, NotPassed, Passed};
use super::discards::Discards;
use super::identities::Identities;
use super::inbox::{BATCH, Datagram, Inbox};
use super::knowledge::{Arrival, MessageKnowledge};
use super::origins::{Origin, Origins};
use super::probes::Probes;
use super::rules::Rules;
use super::socket::{Port, Reply};
use super::watch::Watch;
use crate::Recorder;
use crate::reserved::ReservedView;
use orchestrator_model::{Clock, Duid, attachment_of};
use orchestrator_runtime::metrics::Metrics;
use orchestrator_settings::{Current, Settings};

/// The number of batches that wait for their commits at the same time. It is several times what the store commits at
/// once, so that the next batch is decided meanwhile. Further messages wait in the socket's buffer.
const COMMITS: usize = 64;

/// How often the listener reads which other servers and routers were observed, while no message comes.
const OTHERS: Duration = Duration::from_secs(5);

/// The dependencies of a listener.
pub struct Parts {
    /// The name of the link.
    pub link: String,
    /// The settings in force.
    pub settings: Current,
    /// The reservations of the API.
    pub reserved: ReservedView,
    /// The server's DUID.
    pub duid: Duid,
    /// The key of the server's hashes.
    pub key: [u8; 16],
    /// The recorder of lease changes.
    pub recorder: Recorder,
    /// The clock of lifetimes.
    pub clock: Clock,
    /// The metrics.
    pub metrics: Metrics,
    /// The listeners of all links.
    pub directory: Directory,
    /// The origins of messages.
    pub origins: Origins,
}

/// The DHCPv6 server of one link.
pub struct Listener {
    parts: Parts,
    rules: Rules,
    server: Server,
    bindings: Bindings,
    /// The port for clients on the bridge. A link without a bridge on this machine has none; relay agents forward its
    /// clients' messages.
    port: Option<Arc<Port>>,
    /// The index of the bridge, if the link has one on this machine.
    bridge: Option<u32>,
    /// The link's entry in the directory, through which messages from other ports arrive.
    listed: Listed,
    watch: Watch,
    discards: Discards,
    probes: Probes,
    /// First leases to clients that were never seen.
    identities: Identities,
    /// What each port begins.
    begins: Begins,
    /// Whether the settings want no listener here any more.
    leaving: bool,
}

/// The answers to a batch of messages.
#[derive(Default)]
struct Batch {
    at_once: Vec<Reply>,
    pending: Pending,
}

impl Listener {
    /// Opens the link's port on its bridge, and starts with the recorded bindings. `None` if the
    /// settings want no listener.
    ///
    /// A link without a bridge on this machine is served through relay agents only.
    ///
    /// # Errors
    ///
    /// When the socket cannot be opened: another server uses the port, the bridge is gone, or the privilege is missing.
    pub fn open(parts: Parts, bridge: Option<&Bridge>, bindings: Bindings) -> io::Result<Option<Self>> {
        let Some(rules) = Rules::new(&parts.settings.get(), &parts.reserved.get(), &parts.link, parts.key) else {
            return Ok(None);
        };
        let port = bridge.map(|bridge| Port::open(&parts.link, bridge.index)).transpose()?;
        let port = port.map(Arc::new);
        tracing::info!(link = parts.link, bindings = bindings.len(), "listening for DHCPv6");
        Ok(Some(Self {
            server: Server::new(parts.duid.clone(), parts.key),
            watch: Watch::new(&parts, port.as_ref()),
            listed: parts.directory.list(&parts.link, &rules.link),
            discards: Discards::new(&parts.link, parts.metrics.clone()),
            probes: Probes::new(bridge, parts.metrics.clone()),
            identities: Identities::default(),
            begins: Begins::default(),
            parts,
            rules,
            bindings,
            port,
            bridge: bridge.map(|bridge| bridge.index),
            leaving: false,
        }))
    }

    /// Serves until `stop`, or until the settings want no listener. Messages that were read by then are still committed
    /// and answered.
    ///
    /// # Errors
    ///
    /// When the socket fails: the bridge is gone.
    pub async fn run(mut self, commands: &mut mpsc::Receiver<Command>, stop: &CancellationToken) -> io::Result<()> {
        let mut commits = FuturesUnordered::new();
        let (mut inbox, mut passed) = (Inbox::new(), Vec::new());
        let mut others = interval(OTHERS);
        others.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let outcome = loop {
            if self.leaving {
                tracing::info!(link = self.parts.link, "no longer listening for DHCPv6");
                break Ok(());
            }
            let room = commits.len() < COMMITS;
            let pending = tokio::select! {
                () = stop.cancelled() => break Ok(()),
                settings = self.parts.settings.changed() => {
                    self.follow(&settings);
                    continue;
                }
                () = self.parts.reserved.changed() => {
                    self.follow(&self.parts.settings.get());
                    continue;
                }
                Some((pending, outcome)) = commits.next() => {
                    self.settle(pending, outcome);
                    continue;
                }
                received = receive(self.port.as_deref(), &mut inbox), if room => match received {
                    Ok(()) => self.answer_own(&inbox),
                    Err(fault) => break Err(fault),
                },
                () = self.listed.receive(&mut passed, BATCH), if room => self.answer_passed(&mut passed),
                () = self.watch.due() => {
                    let due = self.watch.take_due(&self.server);
                    self.send(&due);
                    continue;
                }
                (place, is_there) = self.probes.next() => {
                    self.bindings.settle(place, is_there, self.parts.clock.now().0);
                    continue;
                }
                // A router advertises itself also while no client asks.
                _ = others.tick() => {
                    self.note_others();
                    continue;
                }
                Some(command) = commands.recv(), if room => self.obey(command),
            };
            if !pending.changes.is_empty() || pending.done.is_some() {
                commits.push(self.commit(pending));
            }
        };
        while let Some((pending, result)) = commits.next().await {
            self.settle(pending, result);
        }
        self.watch.finish().await;
        outcome
    }

    /// Adopts other settings and reservations.
    fn follow(&mut self, settings: &Settings) {
        let recorded = self.parts.reserved.get();
        let before = std::mem::take(&mut self.rules.link.reservations);
        self.leaving = !self.rules.follow(settings, &recorded, &self.parts.link);
        self.listed.follow(&self.rules.link);
        self.watch.follow(&self.rules.link);
        if !self.leaving {
            self.reconfigure_concerned(&before);
        }
    }

    /// Reconfigures the clients whose reservations have changed. A client that does not accept that asks at its next
    /// renewal.
    fn reconfigure_concerned(&mut self, before: &Reservations) {
        let (link, now) = (&self.rules.link, self.parts.clock.now().0);
        for duid in link.reservations.concerned(before, &self.bindings, now) {
            if let Err(reason) = self.watch.reconfigure(link, duid.clone(), Reconfigure::Renew) {
                tracing::debug!(link = self.parts.link, %duid, "not reconfigured: {reason}");
            }
        }
    }

    /// Answers the messages that came to the link's own port.
    fn answer_own(&mut self, inbox: &Inbox) -> Pending {
        let Some(port) = self.port.clone() else {
            return Pending::default();
        };
        let mut batch = self.begin();
        let bridge = self.bridge.filter(|_| self.rules.learn_ports);
        self.note_others();
        for datagram in inbox.datagrams() {
            match datagram {
                Err(source) => self.discards.note(source, "too-long", &"it is too long"),
                // Most messages come from clients directly, and need no lock.
                Ok(Datagram { inbound, mark }) => {
                    let arrival = bridge.map_or(Arrival::NotObserved, |_| Arrival::OnBridge(mark));
                    match inbound.is_relayed() {
                        true => self.take_relayed(&mut batch, &inbound, &port, arrival),
                        false => self.answer_into(&mut batch, &inbound, &port, arrival),
                    }
                }
            }
        }
        self.end(batch)
    }

    /// Reads where messages came from, and records the other servers and routers that were observed.
    fn note_others(&mut self) {
        let Some(bridge) = self.bridge.filter(|_| self.rules.learn_ports) else {
            return;
        };
        for other in self.parts.origins.gather(bridge) {
            match other.is_router {
                true if self.rules.hears_router(other.port().as_deref()) => self.watch.tell_router(&other),
                // Trusted relay agents send from the servers' port, too.
                false if !self.rules.relays => self.watch.tell_server(&other),
                _ => {}
            }
        }
    }

    /// Answers the messages that came to other ports.
    fn answer_passed(&mut self, passed: &mut Vec<Passed>) -> Pending {
        let mut batch = self.begin();
        for datagram in passed.drain(..) {
            let inbound = Inbound {
                datagram: &datagram.bytes,
                source: datagram.source,
                multicast: datagram.multicast,
            };
            self.answer_into(&mut batch, &inbound, &datagram.port, Arrival::NotObserved);
        }
        self.end(batch)
    }

    fn begin(&mut self) -> Batch {
        // The new settings came into force before the next messages were read.
        if let Some(settings) = self.parts.settings.news() {
            self.follow(&settings);
        }
        if self.parts.reserved.has_news() {
            self.follow(&self.parts.settings.get());
        }
        Batch::default()
    }

    /// Sends the answers that change nothing. Returns the others, with their changes applied in memory.
    fn end(&self, batch: Batch) -> Pending {
        self.send(&batch.at_once);
        batch.pending
    }

    /// Answers a message.
    fn answer_into(&mut self, batch: &mut Batch, inbound: &Inbound<'_>, port: &Arc<Port>, arrival: Arrival) {
        if !self.admit_beginner(arrival, inbound) {
            let reason = "the clients behind its port begin more than their part of link_rate";
            return self.discards.note(inbound.source, "port-too-often", &reason);
        }
        let Some((answer, origin)) = self.answer(inbound, arrival) else {
            return;
        };
        if let Err((word, reason)) = self.admit_origin(&answer, origin.as_deref()) {
            return self.discards.note(inbound.source, word, &reason);
        }
        answer
            .refusals
            .iter()
            .for_each(|refusal| self.refuse(&answer, *refusal));
        let link = &self.rules.link;
        self.watch.observe(inbound, port, &answer, &self.bindings, link.valid);
        self.watch.note_limits(link, inbound, &answer);
        self.watch.note_elsewhere(inbound, &answer);
        if let Some(Elsewhere::ToAsk(holder)) = answer.elsewhere {
            self.probes.ask(holder, &mut self.bindings, self.parts.clock.now().0);
        }
        let reply = Reply {
            bytes: answer.datagram,
            to: answer.destination,
            port: port.clone(),
        };
        if answer.changes.is_empty() {
            self.parts.metrics.dhcp6_answered(answer.kind.word());
            return batch.at_once.push(reply);
        }
        // The next message of the batch is answered from the changed bindings.
        answer.changes.iter().for_each(|change| self.bindings.apply(change));
        let made = answer.changes.into_iter().map(|change| Made {
            change,
            origin: origin.clone(),
        });
        batch.pending.changes.extend(made);
        batch.pending.replies.push(reply);
        batch.pending.answered.push(answer.kind.word());
    }

    /// Whether a message may be handled as far as the limit of its port goes. A message whose port is not known may.
    fn admit_beginner(&mut self, arrival: Arrival, inbound: &Inbound<'_>) -> bool {
        let kind = inbound.datagram.first().filter(|kind| Begins::counts(**kind));
        let (Arrival::OnBridge(mark), Some(kind), false) = (arrival, kind, inbound.is_relayed()) else {
            return true;
        };
        let Some(port) = self.parts.origins.port_of(mark) else {
            return true;
        };
        let (rate, share, now) = (self.rules.link_rate, self.rules.share, self.parts.clock.now().0);
        self.begins.admit(port, *kind, rate, share, now)
    }

    /// Whether an answer may change anything for a client at this place: not for one behind the port of an instance, and not
    /// for too many at once that were never seen.
    ///
    /// # Errors
    ///
    /// The word for why not, and the reason.
    fn admit_origin(&mut self, answer: &Answer, origin: Option<&Origin>) -> Result<(), (&'static str, &'static str)> {
        let Some(change) = answer.changes.first() else {
            return Ok(());
        };
        let port = origin.map(|origin| origin.port.as_str());
        if port.is_some_and(|port| attachment_of(port).is_some()) {
            return Err((
                "from-instance",
                "it came in by the port of an instance, which gets no lease",
            ));
        }
        let begins = matches!(change.verb, Verb::Grant | Verb::Register);
        if !begins || self.bindings.of_client(&change.after.duid).next().is_some() || self.is_reserved(change) {
            return Ok(());
        }
        let (limits, share) = (&self.rules.limits, self.rules.share);
        let now = self.parts.clock.now().0;
        let admitted = self.identities.admit(port, limits, share, now);
        admitted.map_err(|over| {
            if over.is_news {
                self.watch.note_identities(port, limits.identities.unwrap_or_default());
            }
            ("new-identity", "the link admits no more new clients at the moment")
        })
    }

    /// Whether what a client gets is reserved for it.
    fn is_reserved(&self, change: &Change) -> bool {
        let (address, prefix) = (change.after.leased.address(), change.after.leased.prefix());
        let mut reserved = self.rules.link.reservations.iter();
        reserved.any(|one| (address.is_some() && one.address == address) || (prefix.is_some() && one.prefix == prefix))
    }

    /// Answers a relayed message, or passes it on to the listener of the link that its relay agents identify. Drops it if
    /// relay agents are not trusted on this link.
    fn take_relayed(&mut self, batch: &mut Batch, inbound: &Inbound<'_>, port: &Arc<Port>, arrival: Arrival) {
        let identified = self.parts.directory.link_of(inbound);
        let passed = match identified.filter(|link| *link != self.parts.link) {
            Some(other) if !self.rules.relays => Err(NotPassed::OtherLink(other)),
            None if !self.rules.relays => Err(NotPassed::UntrustedRelay),
            Some(_) => self.parts.directory.pass(inbound, port),
            None => return self.answer_into(batch, inbound, port, arrival),
        };
        if let Err(reason) = passed {
            self.discards.note(inbound.source, reason.word(), &reason);
        }
    }

    /// The answer to a message, and the origin of the message if the answer depended on it, or if it was relayed and
    /// changes something.
    fn answer(&mut self, inbound: &Inbound<'_>, arrival: Arrival) -> Option<(Answer, Option<Arc<Origin>>)> {
        let now = self.parts.clock.now().0;
        let Rules { link, limiter, .. } = &mut self.rules;
        let admitted = limiter.as_mut().map_or(Ok(()), |limiter| limiter.admit(inbound, now));
        let knowledge = MessageKnowledge::new(&self.watch, &self.parts.origins, arrival);
        let answer = || {
            self.server
                .handle_knowing(link, &self.bindings, inbound, now, &knowledge)
        };
        match admitted.and_then(|()| answer()) {
            Ok(answer) => {
                // A lease that a relay agent asked for is bound to the agent's port, which the answer does not depend on.
                let is_bound = inbound.is_relayed() && !answer.changes.is_empty();
                if is_bound {
                    knowledge.find_origin();
                }
                Some((answer, knowledge.into_origin()))
            }
            Err(discard) => {
                self.discard(inbound, &discard, now);
                None
            }
        }
    }

    fn discard(&mut self, inbound: &Inbound<'_>, discard: &Discard, now: i64) {
        self.discards.note(inbound.source, discard.word(), discard);
        match *discard {
            Discard::NotFromHolder { kind, holder } => self.watch.tell_refused(inbound, kind, Some(holder)),
            Discard::SenderNotObserved(kind) => self.watch.tell_refused(inbound, kind, None),
            Discard::OtherServer(_) => self.watch.tell_chosen(*inbound.source.ip()),
            Discard::HolderAsked { holder, .. } => self.probes.ask(holder, &mut self.bindings, now),
            _ => {}
        }
    }

    fn refuse(&self, answer: &Answer, refusal: Refusal) {
        let (status, client) = (refusal.word(), answer.client_address);
        self.parts.metrics.dhcp6_refused(status);
        tracing::debug!(link = self.parts.link, %client, kind = %answer.kind, status, "an identity association got nothing");
    }

    fn send(&self, replies: &[Reply]) {
        for batch in replies.chunk_by(|one, other| Arc::ptr_eq(&one.port, &other.port)) {
            let Some(first) = batch.first() else { continue };
            first.port.send(batch, |reply, fault| {
                self.parts.metrics.dhcp6_unsent();
                if let Some(held_back) = self.parts.metrics.log_limit().admit("dhcp6-unsent") {
                    let fault = &fault as &dyn std::error::Error;
                    tracing::warn!(link = self.parts.link, to = %reply.to, error = fault, held_back, "could not send a reply");
                }
            });
        }
    }
}

/// Waits for datagrams at a port; for ever if there is none.
async fn receive(port: Option<&Port>, inbox: &mut Inbox) -> io::Result<()> {
    match port {
        Some(port) => port.receive(inbox).await,
        None => std::future::pending().await,
    }
}
