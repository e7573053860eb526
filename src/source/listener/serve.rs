//! The loop around the protocol: receives, answers, commits, replies.

use std::io;
use std::net::SocketAddrV6;

use futures_util::stream::{FuturesUnordered, StreamExt};
use orchestrator_dhcp6::{Answer, Bindings, Change, Inbound, Reconfigure, Server, Verb};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::raw::{BridgeSocket, Datagram};
use super::reconfigure::{NotReconfigured, Reconfiguring};
use super::rules::Rules;
use super::watch::Watch;
use crate::causes::with_causes;
use crate::metrics::Metrics;
use crate::model::{Clock, Duid, LeaseChange, LeaseSource, LeaseVerb, Leased, Timestamp};
use crate::settings::{Current, Settings};
use crate::source::Recorder;
use crate::store::StoreError;

/// Datagrams that are handled, and committed, together.
const BATCH: usize = 64;
/// Commits under way at the same time. Beyond it the socket's buffer holds what comes.
const COMMITS: usize = 16;

/// What the rest of the daemon asks of a listener.
#[derive(Debug)]
pub enum Command {
    /// Free all that this client holds, as if it had released it.
    Release {
        /// Whose leases.
        duid: Duid,
        /// Told when it is durable.
        done: oneshot::Sender<Result<(), StoreError>>,
    },
    /// Have this client ask again (RFC 9915, section 18.3.11).
    Reconfigure {
        /// Who is to ask.
        duid: Duid,
        /// And what.
        what: Reconfigure,
        /// Told what has begun; it goes on until the client asks.
        done: oneshot::Sender<Result<Reconfiguring, NotReconfigured>>,
    },
}

/// What a listener is made of.
pub struct Parts {
    /// Name of the bridge, and of the link.
    pub bridge: String,
    /// What is leased there, and how.
    pub settings: Current,
    /// Who answers: the server's DUID.
    pub duid: Duid,
    /// The key of its hashes.
    pub key: [u8; 16],
    /// Where changes are made durable.
    pub recorder: Recorder,
    /// By which lifetimes are counted.
    pub clock: Clock,
    /// Where it counts.
    pub metrics: Metrics,
}

/// The DHCPv6 server of one link.
pub struct Listener {
    parts: Parts,
    rules: Rules,
    server: Server,
    bindings: Bindings,
    socket: BridgeSocket,
    watch: Watch,
    /// The settings want no listener here any more.
    leaving: bool,
}

/// Changes that wait to be durable, and what is sent then.
#[derive(Default)]
struct Pending {
    changes: Vec<Change>,
    replies: Vec<(Vec<u8>, SocketAddrV6)>,
    done: Option<oneshot::Sender<Result<(), StoreError>>>,
}

impl Listener {
    /// Opens the socket on the bridge, and goes on from the bindings that are recorded. `None` where the settings want
    /// no listener.
    ///
    /// # Errors
    ///
    /// When the socket cannot be opened: another server has the port, the bridge is gone, no privilege.
    pub fn open(parts: Parts, bridge_index: u32, bindings: Bindings) -> io::Result<Option<Self>> {
        let Some(rules) = Rules::new(&parts.settings.get(), &parts.bridge, parts.key) else {
            return Ok(None);
        };
        let socket = super::socket::open(&parts.bridge, bridge_index)?;
        tracing::info!(bridge = parts.bridge, bindings = bindings.len(), "listening for DHCPv6");
        Ok(Some(Self {
            server: Server::new(parts.duid.clone(), parts.key),
            watch: Watch::new(&parts),
            parts,
            rules,
            bindings,
            socket,
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
        let mut batch = Vec::with_capacity(BATCH);
        let outcome = loop {
            if self.leaving {
                tracing::info!(bridge = self.parts.bridge, "no longer listening for DHCPv6");
                break Ok(());
            }
            let room = commits.len() < COMMITS;
            tokio::select! {
                () = stop.cancelled() => break Ok(()),
                settings = self.parts.settings.changed() => self.follow(&settings),
                Some((pending, outcome)) = commits.next() => self.settle(pending, outcome),
                received = self.socket.receive(BATCH, &mut batch), if room => {
                    if let Err(fault) = received {
                        break Err(fault);
                    }
                    let pending = self.answer_all(&mut batch);
                    if !pending.changes.is_empty() {
                        commits.push(self.commit(pending));
                    }
                }
                () = self.watch.due() => self.send_due(),
                Some(command) = commands.recv(), if room => match command {
                    Command::Release { duid, done } => {
                        let changes = self.release(&duid);
                        commits.push(self.commit(Pending { changes, done: Some(done), ..Pending::default() }));
                    }
                    Command::Reconfigure { duid, what, done } => {
                        // Whoever asked may have gone.
                        let _ = done.send(self.watch.reconfigure(&self.rules.link, duid, what));
                    }
                },
            }
        };
        while let Some((pending, result)) = commits.next().await {
            self.settle(pending, result);
        }
        self.watch.finish().await;
        outcome
    }

    /// Goes over to other settings.
    fn follow(&mut self, settings: &Settings) {
        self.leaving = !self.rules.follow(settings, &self.parts.bridge);
        self.watch.follow(&self.rules.link);
    }

    /// Answers a batch. What changes nothing is sent at once; the rest is returned, its changes made in memory.
    fn answer_all(&mut self, batch: &mut Vec<Datagram>) -> Pending {
        let mut pending = Pending::default();
        // They came into force before what follows was read.
        if let Some(settings) = self.parts.settings.news() {
            self.follow(&settings);
        }
        for datagram in batch.drain(..) {
            let Some(answer) = self.answer(&datagram) else { continue };
            self.parts.metrics.dhcp6_answered(answer.kind.word());
            if answer.changes.is_empty() {
                self.send(&answer.datagram, answer.destination);
                continue;
            }
            // The next message of the batch is answered from these.
            answer.changes.iter().for_each(|change| self.bindings.apply(change));
            pending.changes.extend(answer.changes);
            pending.replies.push((answer.datagram, answer.destination));
        }
        pending
    }

    fn answer(&mut self, datagram: &Datagram) -> Option<Answer> {
        if datagram.truncated {
            self.parts.metrics.dhcp6_discarded("too-long");
            tracing::debug!(bridge = self.parts.bridge, source = %datagram.source, "discarded: too long");
            return None;
        }
        let inbound = Inbound {
            datagram: &datagram.bytes,
            source: datagram.source,
            multicast: datagram.destination.is_some_and(|to| to.is_multicast()),
        };
        let now = self.parts.clock.now().0;
        let Rules { link, limiter, .. } = &mut self.rules;
        let admitted = limiter.as_mut().map_or(Ok(()), |limiter| limiter.admit(&inbound, now));
        match admitted.and_then(|()| self.server.handle(link, &self.bindings, &inbound, now)) {
            Ok(answer) => {
                self.watch.hear(&inbound, &answer, link.valid, now);
                Some(answer)
            }
            Err(discard) => {
                self.parts.metrics.dhcp6_discarded(discard.word());
                tracing::debug!(bridge = self.parts.bridge, source = %datagram.source, "discarded: {discard}");
                None
            }
        }
    }

    fn send(&self, reply: &[u8], to: SocketAddrV6) {
        if let Err(fault) = self.socket.send(reply, to) {
            self.parts.metrics.dhcp6_unsent();
            let fault = &fault as &dyn std::error::Error;
            tracing::warn!(bridge = self.parts.bridge, %to, error = fault, "could not send a reply");
        }
    }

    /// Sends what clients are told unasked.
    fn send_due(&mut self) {
        for (datagram, to) in self.watch.take_due(&self.server) {
            self.send(&datagram, to);
        }
    }

    /// Frees all that a client holds.
    fn release(&mut self, duid: &Duid) -> Vec<Change> {
        let now = self.parts.clock.now().0;
        let leases: Vec<Leased> = self.bindings.of_client(duid).map(|binding| binding.leased).collect();
        let changes: Vec<Change> = leases
            .into_iter()
            .filter_map(|leased| self.bindings.release(leased, now))
            .collect();
        changes.iter().for_each(|change| self.bindings.apply(change));
        changes
    }

    /// A future that makes the changes durable. It borrows nothing, so that others can be under way beside it.
    fn commit(&self, pending: Pending) -> impl Future<Output = (Pending, Result<(), StoreError>)> + use<> {
        let now = self.parts.clock.now();
        let changes = pending
            .changes
            .iter()
            .map(|change| lease_change(&self.parts.bridge, change, now))
            .collect();
        let recorder = self.parts.recorder.clone();
        async move {
            let outcome = recorder.record(changes).await;
            (pending, outcome)
        }
    }

    fn settle(&mut self, pending: Pending, outcome: Result<(), StoreError>) {
        match &outcome {
            Ok(()) => pending.replies.iter().for_each(|(reply, to)| self.send(reply, *to)),
            Err(fault) => {
                self.parts.metrics.commit_failed();
                tracing::error!(
                    bridge = self.parts.bridge,
                    changes = pending.changes.len(),
                    reason = with_causes(fault),
                    "bindings could not be recorded; their clients are not answered and will ask again"
                );
                pending
                    .changes
                    .iter()
                    .rev()
                    .for_each(|change| self.bindings.undo(change));
            }
        }
        if let Some(done) = pending.done {
            // Whoever asked may have gone.
            let _ = done.send(outcome);
        }
    }
}

fn lease_change(bridge: &str, change: &Change, now: Timestamp) -> LeaseChange {
    let (verb, source) = match change.verb {
        Verb::Grant | Verb::Renew => (LeaseVerb::Hold, LeaseSource::Listener),
        Verb::Release => (LeaseVerb::Release, LeaseSource::Listener),
        Verb::Decline => (LeaseVerb::Decline, LeaseSource::Listener),
        Verb::Register => (LeaseVerb::Hold, LeaseSource::Registration),
        // As if it had expired (RFC 9686, section 4.6).
        Verb::Deregister => (LeaseVerb::Expire, LeaseSource::Registration),
    };
    LeaseChange {
        verb,
        link: bridge.to_owned(),
        duid: change.after.duid.clone(),
        iaid: change.after.iaid,
        leased: change.after.leased,
        next_hop: change.next_hop,
        class: None,
        source,
        preferred_until: Timestamp(change.after.preferred_until),
        valid_until: Timestamp(change.after.valid_until),
        link_layer: change.link_layer.clone(),
        hostname: change.hostname.clone(),
        at: now,
        replayed: false,
    }
}
