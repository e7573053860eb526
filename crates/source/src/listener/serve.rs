//! The loop around the protocol: receives, answers, commits, replies.

use std::io;
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use orchestrator_dhcp6::{Answer, Bindings, Change, Inbound, KeyHolder, Reconfigure, Refusal, Reservations, Server};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::directory::{Directory, Listed, NotPassed, Passed};
use super::discards::Discards;
use super::inbox::{BATCH, Inbox};
use super::origins::{Origin, Origins};
use super::reconfigure::{NotReconfigured, Reconfiguring};
use super::rules::Rules;
use super::socket::{Port, Reply};
use super::watch::Watch;
use crate::Recorder;
use crate::reserved::ReservedView;
use orchestrator_model::{Clock, Duid, Leased};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::metrics::Metrics;
use orchestrator_settings::{Current, Settings};
use orchestrator_store::StoreError;

/// Batches that wait for their commit at the same time: several times what the store commits at once, so that the next
/// is read and decided meanwhile. Beyond it the socket's buffer holds what comes.
const COMMITS: usize = 64;

/// A command from the rest of the daemon to a listener.
#[derive(Debug)]
pub enum Command {
    /// Free all that this client holds, as if it had released it.
    Release {
        /// The client whose leases are released.
        duid: Duid,
        /// Gets the result when it is durable.
        done: oneshot::Sender<Result<(), StoreError>>,
    },
    /// Have this client ask again (RFC 9915, section 18.3.11).
    Reconfigure {
        /// The client to reconfigure.
        duid: Duid,
        /// And what.
        what: Reconfigure,
        /// Gets the result when the first Reconfigure is sent. The attempts go on until the client answers.
        done: oneshot::Sender<Result<Reconfiguring, NotReconfigured>>,
    },
}

/// What a listener is made of.
pub struct Parts {
    /// Name of the link.
    pub link: String,
    /// What is leased there, and how.
    pub settings: Current,
    /// What is reserved through the API.
    pub reserved: ReservedView,
    /// The server's DUID.
    pub duid: Duid,
    /// The key of its hashes.
    pub key: [u8; 16],
    /// Where changes are made durable.
    pub recorder: Recorder,
    /// By which lifetimes are counted.
    pub clock: Clock,
    /// Where it counts.
    pub metrics: Metrics,
    /// The listeners of all links.
    pub directory: Directory,
    /// Where messages came from.
    pub origins: Origins,
}

/// The DHCPv6 server of one link.
pub struct Listener {
    parts: Parts,
    rules: Rules,
    server: Server,
    bindings: Bindings,
    /// The port for clients on the bridge. A link without a bridge here has none; relay agents speak for its clients.
    port: Option<Arc<Port>>,
    /// The index of the bridge, where the link has one here.
    bridge: Option<u32>,
    /// Where messages are passed on from the ports of others.
    listed: Listed,
    watch: Watch,
    discards: Discards,
    /// The settings want no listener here any more.
    leaving: bool,
}

/// A change, and where the message came from that made it, as far as that is known.
struct Made {
    change: Change,
    origin: Option<Origin>,
}

/// Changes that wait to be durable, and what is sent then.
#[derive(Default)]
struct Pending {
    changes: Vec<Made>,
    replies: Vec<Reply>,
    done: Option<oneshot::Sender<Result<(), StoreError>>>,
}

/// The answers to a batch of messages.
#[derive(Default)]
struct Batch {
    at_once: Vec<Reply>,
    pending: Pending,
}

impl Listener {
    /// Opens the link's port on its bridge, given as its index, and goes on from the bindings that are recorded. `None`
    /// where the settings want no listener.
    ///
    /// A link that has no bridge here is served through relay agents alone.
    ///
    /// # Errors
    ///
    /// When the socket cannot be opened: another server has the port, the bridge is gone, no privilege.
    pub fn open(parts: Parts, bridge: Option<u32>, bindings: Bindings) -> io::Result<Option<Self>> {
        let Some(rules) = Rules::new(&parts.settings.get(), &parts.reserved.get(), &parts.link, parts.key) else {
            return Ok(None);
        };
        let port = bridge.map(|index| Port::open(&parts.link, index)).transpose()?;
        let port = port.map(Arc::new);
        tracing::info!(link = parts.link, bindings = bindings.len(), "listening for DHCPv6");
        Ok(Some(Self {
            server: Server::new(parts.duid.clone(), parts.key),
            watch: Watch::new(&parts, port.as_ref()),
            listed: parts.directory.list(&parts.link, &rules.link),
            discards: Discards::new(&parts.link, parts.metrics.clone()),
            parts,
            rules,
            bindings,
            port,
            bridge,
            leaving: false,
        }))
    }

    /// Serves until `stop`, or until the settings want no listener; what was read by then is still committed and
    /// answered.
    ///
    /// # Errors
    ///
    /// When the socket fails: the bridge is gone.
    pub async fn run(mut self, commands: &mut mpsc::Receiver<Command>, stop: &CancellationToken) -> io::Result<()> {
        let mut commits = FuturesUnordered::new();
        let (mut inbox, mut passed) = (Inbox::new(), Vec::new());
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

    /// Goes over to other settings, or to what else is reserved.
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

    /// Has those ask again who are to have something else now. Who does not accept it asks when its lease is half over.
    fn reconfigure_concerned(&mut self, before: &Reservations) {
        let (link, now) = (&self.rules.link, self.parts.clock.now().0);
        for duid in link.reservations.concerned(before, &self.bindings, now) {
            if let Err(reason) = self.watch.reconfigure(link, duid.clone(), Reconfigure::Renew) {
                tracing::debug!(link = self.parts.link, %duid, "not reconfigured: {reason}");
            }
        }
    }

    /// Answers what came in at the link's own port.
    fn answer_own(&mut self, inbox: &Inbox) -> Pending {
        let Some(port) = self.port.clone() else {
            return Pending::default();
        };
        let mut batch = self.begin();
        let bridge = self.bridge.filter(|_| self.rules.learn_ports);
        if bridge.is_some() {
            self.parts.origins.gather();
        }
        for datagram in inbox.datagrams() {
            match datagram {
                Err(source) => self.discards.note(source, "too-long", &"it is too long"),
                Ok(inbound) => match self.elsewhere(&inbound) {
                    Some(link) => self.pass_on(link, &inbound, &port),
                    None => self.answer_into(&mut batch, &inbound, &port, bridge),
                },
            }
        }
        self.end(batch)
    }

    /// Answers what came in at other ports.
    fn answer_passed(&mut self, passed: &mut Vec<Passed>) -> Pending {
        let mut batch = self.begin();
        for datagram in passed.drain(..) {
            let inbound = Inbound {
                datagram: &datagram.bytes,
                source: datagram.source,
                multicast: datagram.multicast,
            };
            self.answer_into(&mut batch, &inbound, &datagram.port, None);
        }
        self.end(batch)
    }

    fn begin(&mut self) -> Batch {
        // They came into force before what follows was read.
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

    /// Answers a message. `bridge` is the bridge that it came in by, where the listener learns ports.
    fn answer_into(&mut self, batch: &mut Batch, inbound: &Inbound<'_>, port: &Arc<Port>, bridge: Option<u32>) {
        let Some(answer) = self.answer(inbound) else { return };
        self.parts.metrics.dhcp6_answered(answer.kind.word());
        answer
            .refusals
            .iter()
            .for_each(|refusal| self.refuse(&answer, *refusal));
        let link = &self.rules.link;
        self.watch.hear(inbound, port, &answer, &self.bindings, link.valid);
        self.watch.note_limits(link, inbound, &answer);
        let reply = Reply {
            bytes: answer.datagram,
            to: answer.destination,
            port: port.clone(),
        };
        if answer.changes.is_empty() {
            return batch.at_once.push(reply);
        }
        // The next message of the batch is answered from these.
        answer.changes.iter().for_each(|change| self.bindings.apply(change));
        // A relay agent's port says nothing of its clients.
        let source = *inbound.source.ip();
        let bridge = bridge.filter(|_| answer.client_address == source);
        let origin = bridge.and_then(|bridge| self.parts.origins.find(bridge, source, inbound.datagram));
        let made = answer.changes.into_iter().map(|change| Made {
            change,
            origin: origin.clone(),
        });
        batch.pending.changes.extend(made);
        batch.pending.replies.push(reply);
    }

    /// The name of the other link that relay agents say a message is from.
    fn elsewhere(&self, inbound: &Inbound<'_>) -> Option<String> {
        let told = self.parts.directory.link_of(inbound);
        told.filter(|link| *link != self.parts.link)
    }

    /// Passes a message on to another link's listener, where relay agents are trusted on this one.
    fn pass_on(&self, link: String, inbound: &Inbound<'_>, port: &Arc<Port>) {
        let passed = match self.rules.relays {
            true => self.parts.directory.pass(inbound, port),
            false => Err(NotPassed::Untrusted(link)),
        };
        if let Err(reason) = passed {
            self.discards.note(inbound.source, reason.word(), &reason);
        }
    }

    fn answer(&mut self, inbound: &Inbound<'_>) -> Option<Answer> {
        let now = self.parts.clock.now().0;
        let Rules { link, limiter, .. } = &mut self.rules;
        let admitted = limiter.as_mut().map_or(Ok(()), |limiter| limiter.admit(inbound, now));
        let holds_key = |holder: &KeyHolder<'_>| self.watch.holds_key(holder);
        let answer = || {
            self.server
                .handle_knowing(link, &self.bindings, inbound, now, &holds_key)
        };
        match admitted.and_then(|()| answer()) {
            Ok(answer) => Some(answer),
            Err(discard) => {
                self.discards.note(inbound.source, discard.word(), &discard);
                None
            }
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

    /// Applies a command in memory, and returns what must be committed.
    fn obey(&mut self, command: Command) -> Pending {
        match command {
            Command::Release { duid, done } => Pending {
                changes: self.release(&duid),
                done: Some(done),
                ..Pending::default()
            },
            Command::Reconfigure { duid, what, done } => {
                // The requester may have gone.
                let _ = done.send(self.watch.reconfigure(&self.rules.link, duid, what));
                Pending::default()
            }
        }
    }

    /// Frees all that a client holds.
    fn release(&mut self, duid: &Duid) -> Vec<Made> {
        let now = self.parts.clock.now().0;
        let leases: Vec<Leased> = self.bindings.of_client(duid).map(|binding| binding.leased).collect();
        let changes: Vec<Change> = leases
            .into_iter()
            .filter_map(|leased| self.bindings.release(leased, now))
            .collect();
        changes.iter().for_each(|change| self.bindings.apply(change));
        let made = changes.into_iter().map(|change| Made { change, origin: None });
        made.collect()
    }

    /// A future that makes the changes durable. It borrows nothing, so that others can be under way beside it.
    fn commit(&self, pending: Pending) -> impl Future<Output = (Pending, Result<(), StoreError>)> + use<> {
        let now = self.parts.clock.now();
        let changes = pending
            .changes
            .iter()
            .map(|made| {
                let origin = made.origin.as_ref();
                self.rules.lease_change(&self.parts.link, &made.change, origin, now)
            })
            .collect();
        let recorder = self.parts.recorder.clone();
        async move {
            let outcome = recorder.record(changes).await;
            (pending, outcome)
        }
    }

    fn settle(&mut self, pending: Pending, outcome: Result<(), StoreError>) {
        match &outcome {
            Ok(()) => self.send(&pending.replies),
            Err(fault) => {
                self.parts.metrics.commit_failed();
                if let Some(held_back) = self.parts.metrics.log_limit().admit("lease-commit-failed") {
                    tracing::error!(
                        link = self.parts.link,
                        changes = pending.changes.len(),
                        reason = with_causes(fault),
                        held_back,
                        "bindings could not be recorded; their clients are not answered and will ask again"
                    );
                }
                for Made { change, .. } in pending.changes.iter().rev() {
                    self.bindings.undo(change);
                    self.watch.take_key_back(&change.after.duid);
                }
            }
        }
        if let Some(done) = pending.done {
            // Whoever asked may have gone.
            let _ = done.send(outcome);
        }
    }
}

/// Waits for datagrams at a port; for ever where there is none.
async fn receive(port: Option<&Port>, inbox: &mut Inbox) -> io::Result<()> {
    match port {
        Some(port) => port.receive(inbox).await,
        None => std::future::pending().await,
    }
}
