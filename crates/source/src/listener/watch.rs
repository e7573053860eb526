//! The listener's work besides answering: it detects cloned DUIDs, and sends Reconfigure messages.

use std::collections::BTreeSet;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use orchestrator_dhcp6::{
    Answer, Binding, Bindings, ClientLimit, Inbound, KeyHolder, Link, MessageKind, Reconfigure, Server,
};
use tokio::time::{Instant, sleep_until};

use super::Parts;
use super::contacts::{ClientPlace, Contacts, Way};
use super::generations::Generations;
use super::reconfigure::{Due, NotReconfigured, Reconfigurations, Reconfiguring};
use super::socket::{Port, Reply};
use crate::Recorder;
use orchestrator_model::{Clock, Duid, EventKind, Iaid, Leased, NewEvent, Timestamp};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::metrics::Metrics;

/// The number of timeline rows that may be on their way to the store. Further ones are only logged and counted.
const NOTES: usize = 16;
/// The number of log lines about cloned DUIDs in a minute. Each needs a binding, which a stranger can make.
const LINES: u32 = 10;
const MINUTE: Duration = Duration::from_secs(60);
/// The number of clients that are certainly remembered as refused because of their limit.
const LIMITED: usize = 1 << 12;
/// The shortest time, in milliseconds, between two events about a client that is refused because of its limit.
const LIMIT_SILENCE: i64 = 3_600_000;
/// The number of other servers that are certainly remembered as recorded.
const OTHERS: usize = 256;
/// The shortest time, in milliseconds, between two events of one kind about a client, if strangers can cause them.
const RARE_SILENCE: i64 = 60_000;

type Note = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Watches the clients of a link.
pub(super) struct Watch {
    link: String,
    recorder: Recorder,
    clock: Clock,
    metrics: Metrics,
    contacts: Contacts,
    reconfigurations: Reconfigurations,
    /// Timeline rows on their way to the store. Nothing waits for them.
    notes: FuturesUnordered<Note>,
    /// When each client's last event about its limit was recorded.
    limited: Generations<Timestamp>,
    /// When each client's last event of a kind that strangers can cause was recorded.
    rare: Generations<Timestamp>,
    /// When each other server and router was last recorded.
    others: Generations<Timestamp>,
    /// The begin of the minute of log lines, and their number.
    lines: (Instant, u32),
}

impl Watch {
    /// A watch on the clients of a link. `own` is the link's own port, if it has one.
    pub(super) fn new(parts: &Parts, own: Option<&Arc<Port>>) -> Self {
        Self {
            link: parts.link.clone(),
            recorder: parts.recorder.clone(),
            clock: parts.clock,
            metrics: parts.metrics.clone(),
            contacts: Contacts::new(own.map(Arc::downgrade).unwrap_or_default()),
            reconfigurations: Reconfigurations::new(),
            notes: FuturesUnordered::new(),
            limited: Generations::new(LIMITED),
            rare: Generations::new(LIMITED),
            others: Generations::new(OTHERS),
            lines: (Instant::now(), 0),
        }
    }

    /// Whether a client has its reconfigure key.
    pub(super) fn holds_key(&self, holder: &KeyHolder<'_>) -> bool {
        self.contacts.holds_key(holder)
    }

    /// Records that a client's answer was not sent.
    pub(super) fn take_key_back(&mut self, duid: &Duid) {
        self.contacts.take_key_back(duid);
    }

    /// Records the origin of a message that is answered. `valid` is the lifetime of leases; the bindings are those
    /// before the message.
    pub(super) fn observe(
        &mut self,
        inbound: &Inbound<'_>,
        port: &Arc<Port>,
        answer: &Answer,
        bindings: &Bindings,
        valid: Duration,
    ) {
        if !self.reconfigurations.is_empty()
            && let Ok(Some(duid)) = inbound.client()
            && self.reconfigurations.is_answered(&duid, answer.kind)
        {
            self.metrics.dhcp6_reconfigure("answered");
            tracing::debug!(link = self.link, %duid, "reconfigured: the client asks again");
        }
        let Some(duid) = answer.changes.first().map(|change| &change.after.duid) else {
            return;
        };
        let reconfigurable = match answer.kind {
            MessageKind::Release => return self.contacts.leave(duid),
            // The message comes from the address that is registered.
            MessageKind::AddrRegInform => return,
            MessageKind::Decline => None,
            _ => Some(answer.reconfigurable),
        };
        if !answer.client_address.is_unicast_link_local() {
            return;
        }
        let other = self.contacts.observe(ClientPlace {
            duid,
            address: answer.client_address,
            reconfigurable,
            key_given: answer.key_given,
            relayed: inbound.is_relayed().then(|| Way {
                port: Arc::downgrade(port),
                relay: answer.destination,
                back: inbound.way_back().ok().flatten(),
            }),
            now: self.clock.now(),
            valid,
        });
        if let Some(other) = other {
            let addresses = format!("{} and {other}", answer.client_address);
            let bindings = bindings.of_client(duid).filter(|own| !is_registered(bindings, own));
            let now = self.clock.now().0;
            let held: Vec<&Binding> = bindings
                .chain(answer.changes.iter().map(|change| &change.after))
                .filter(|own| own.is_held(now))
                .collect();
            match shared_by(&held) {
                Some(iaids) => self.tell_shared(duid, &addresses, &iaids),
                None => self.tell_cloned(duid, &addresses),
            }
        }
    }

    /// Records an event when a client was at its limit of leases on its link.
    pub(super) fn note_limits(&mut self, link: &Link, inbound: &Inbound<'_>, answer: &Answer) {
        for limit in &answer.client_limits {
            self.metrics.dhcp6_client_limit(limit.word());
            let Ok(Some(duid)) = inbound.client() else { return };
            let limits = &link.limits;
            match limit {
                ClientLimit::MadeRoom(leased) => {
                    let detail = format!(
                        "the client asked for another lease and holds as many as one client may ({} addresses, {} \
                         prefixes): its oldest lease, which its message did not name, has ended",
                        limits.bindings_per_client, limits.prefixes_per_client
                    );
                    tracing::debug!(link = self.link, %duid, %leased, "at its limit: {detail}");
                    self.note_with(&duid, EventKind::ClientLimit, Some(*leased), detail);
                }
                ClientLimit::Refused => {
                    self.tell_limited(&duid, limits.bindings_per_client, limits.prefixes_per_client)
                }
            }
        }
    }

    /// Records that more new clients come than the link admits. `port` is the bridge port of the last of them.
    pub(super) fn note_identities(&mut self, port: Option<&str>, limit: u64) {
        let behind = port
            .map(|port| format!(", the last of them behind port {port}"))
            .unwrap_or_default();
        let detail = format!(
            "more new clients come than the link admits ({limit} a minute, and a part of that behind one port){behind}; \
             they get no answer until there is room again"
        );
        let event = NewEvent {
            link: Some(self.link.clone()),
            detail: Some(detail),
            ..NewEvent::new(self.clock.now(), EventKind::IdentityLimit)
        };
        let (recorder, log_limit) = (self.recorder.clone(), self.metrics.log_limit().clone());
        self.notes.push(Box::pin(async move {
            if let Err(fault) = recorder.report(event).await
                && let Some(held_back) = log_limit.admit("note-unrecorded")
            {
                tracing::warn!(
                    held_back,
                    "could not record the limit of new clients: {}",
                    with_causes(&fault)
                );
            }
        }));
    }

    /// Records, at most once an hour, that a client gets nothing because of its own limit.
    fn tell_limited(&mut self, duid: &Duid, addresses: usize, prefixes: usize) {
        let now = self.clock.now();
        let is_recent = |last: &Timestamp| now.0.saturating_sub(last.0) < LIMIT_SILENCE;
        if self.limited.get(duid).is_some_and(is_recent) {
            return;
        }
        self.limited.keep(duid, now);
        let detail = format!(
            "the client asked for another lease and was given none: it has as many as one client may ({addresses} \
             addresses, {prefixes} prefixes); release some, or wait until they end"
        );
        tracing::debug!(link = self.link, %duid, "at its limit: {detail}");
        self.note(duid, EventKind::ClientLimit, detail);
    }

    /// Begins a Reconfigure of a client, which is repeated until the client answers.
    pub(super) fn reconfigure(
        &mut self,
        link: &Link,
        duid: Duid,
        what: Reconfigure,
    ) -> Result<Reconfiguring, NotReconfigured> {
        if !link.reconfigure {
            return Err(NotReconfigured::NotAccepted);
        }
        let route = self.contacts.route(&duid)?;
        let (client, relayed) = (route.client, route.back.is_some());
        self.reconfigurations.begin(duid, what, route, Instant::now())?;
        self.metrics.dhcp6_reconfigure("begun");
        Ok(Reconfiguring { client, relayed })
    }

    /// Adopts other settings. If they forbid reconfiguring, all Reconfigures end.
    pub(super) fn follow(&mut self, link: &Link) {
        if !link.reconfigure {
            self.reconfigurations.clear();
        }
    }

    /// Waits until a message is due. Cancel-safe.
    pub(super) async fn due(&mut self) {
        let next = self.reconfigurations.next();
        let sending = async {
            match next {
                Some(next) => sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(sending);
        loop {
            tokio::select! {
                () = &mut sending => return,
                Some(()) = self.notes.next() => {}
            }
        }
    }

    /// The messages that are due, with their destinations.
    pub(super) fn take_due(&mut self, server: &Server) -> Vec<Reply> {
        let mut datagrams = Vec::new();
        for due in self.reconfigurations.take_due(Instant::now()) {
            match due {
                Due::Send { duid, what, route } => {
                    let now = self.clock.now().0;
                    // Without its port the message is lost, as any datagram may be.
                    let Some(port) = route.port.upgrade() else { continue };
                    match self.reconfigurations.sign(server, &duid, what, &route, now) {
                        Ok(bytes) => datagrams.push(Reply {
                            bytes,
                            to: route.to,
                            port,
                        }),
                        Err(fault) => tracing::warn!(link = self.link, %duid, "cannot reconfigure: {fault}"),
                    }
                }
                Due::GivenUp { duid, what } => self.tell_unanswered(&duid, what),
            }
        }
        datagrams
    }

    /// Waits until all timeline rows are written.
    pub(super) async fn finish(&mut self) {
        while self.notes.next().await.is_some() {}
    }

    fn tell_cloned(&mut self, duid: &Duid, addresses: &str) {
        let detail = format!(
            "two machines use the DUID {duid} by turns, from {addresses}, and ask for the same lease; they are served as \
             one client. Give each machine a DUID of its own: in the copy, remove the DHCP client's file of its DUID, \
             or make /etc/machine-id anew, and restart the client"
        );
        self.note_cloned(duid, detail);
    }

    /// Records a cloned DUID, at most once an hour.
    pub(super) fn tell_cloned_once(&mut self, duid: &Duid, detail: String) {
        if self.is_due(duid, EventKind::ClonedDuid, LIMIT_SILENCE) {
            self.note_cloned(duid, detail);
        }
    }

    fn note_cloned(&mut self, duid: &Duid, detail: String) {
        self.metrics.dhcp6_cloned_duid();
        if self.may_write_a_line() {
            tracing::warn!(link = self.link, %duid, "cloned DUID: {detail}");
        }
        self.note(duid, EventKind::ClonedDuid, detail);
    }

    /// Adds a row to the client's timeline in the background, at most once a minute of each kind.
    pub(super) fn note_rarely(&mut self, duid: &Duid, kind: EventKind, detail: String) {
        if self.is_due(duid, kind, RARE_SILENCE) {
            tracing::debug!(link = self.link, %duid, "{kind}: {detail}");
            self.note(duid, kind, detail);
        }
    }

    /// Counts a client that took its leases to another place.
    pub(super) fn count_move(&self) {
        self.metrics.dhcp6_moved();
    }

    /// Counts a message of another server, or to one.
    pub(super) fn count_other_server(&self) {
        self.metrics.dhcp6_other_server();
    }

    /// Records another server or router in the timeline and in the log, at most once an hour for each key of a kind.
    pub(super) fn tell_other(&mut self, kind: EventKind, key: impl Hash, detail: String) {
        let (key, now) = ((kind, key), self.clock.now());
        let is_recent = |last: &Timestamp| now.0.saturating_sub(last.0) < LIMIT_SILENCE;
        if self.others.get(&key).is_some_and(is_recent) {
            return;
        }
        self.others.keep(&key, now);
        if self.may_write_a_line() {
            tracing::warn!(link = self.link, "{detail}");
        }
        let event = NewEvent {
            link: Some(self.link.clone()),
            detail: Some(detail),
            ..NewEvent::new(now, kind)
        };
        self.append(None, event);
    }

    /// Whether the last event of this kind about a client was so many milliseconds ago. If so, this one counts as the
    /// last.
    fn is_due(&mut self, duid: &Duid, kind: EventKind, silence: i64) -> bool {
        let (key, now) = ((duid, kind), self.clock.now());
        let is_recent = |last: &Timestamp| now.0.saturating_sub(last.0) < silence;
        let is_due = !self.rare.get(&key).is_some_and(is_recent);
        if is_due {
            self.rare.keep(&key, now);
        }
        is_due
    }

    /// Records that two interfaces use one DUID, each with its own IAID. This may be intended, so it is not a warning.
    fn tell_shared(&mut self, duid: &Duid, addresses: &str, iaids: &str) {
        let detail = format!(
            "the DUID {duid} is used by turns from {addresses}, for the IAIDs {iaids}; both are served as one client, \
             with one instance. If they are two interfaces of one machine, nothing is to be done. If the machine was \
             cloned, give the copy a DUID of its own: remove the DHCP client's file of its DUID, or make \
             /etc/machine-id anew, and restart the client"
        );
        if self.may_write_a_line() {
            tracing::info!(link = self.link, %duid, "shared DUID: {detail}");
        }
        self.note(duid, EventKind::SharedDuid, detail);
    }

    fn tell_unanswered(&mut self, duid: &Duid, what: Reconfigure) {
        self.metrics.dhcp6_reconfigure("unanswered");
        tracing::info!(link = self.link, %duid, message = %what.message(), "the client did not answer to Reconfigure");
        let detail = "the client did not answer the Reconfigure; it asks by itself when half of its lease is over";
        self.note(duid, EventKind::ReconfigureUnanswered, detail.to_owned());
    }

    fn may_write_a_line(&mut self) -> bool {
        let (since, written) = &mut self.lines;
        if since.elapsed() >= MINUTE {
            (*since, *written) = (Instant::now(), 0);
        }
        *written = written.saturating_add(1);
        *written <= LINES
    }

    /// Adds a row to the client's timeline in the background.
    fn note(&mut self, duid: &Duid, kind: EventKind, detail: String) {
        self.note_with(duid, kind, None, detail);
    }

    fn note_with(&mut self, duid: &Duid, kind: EventKind, leased: Option<Leased>, detail: String) {
        let event = NewEvent {
            link: Some(self.link.clone()),
            leased,
            detail: Some(detail),
            ..NewEvent::new(self.clock.now(), kind)
        };
        self.append(Some(duid.clone()), event);
    }

    /// Adds a row to the timeline in the background: to that of a client, or of the link alone.
    fn append(&mut self, duid: Option<Duid>, event: NewEvent) {
        let kind = event.kind;
        if self.notes.len() >= NOTES {
            tracing::debug!(
                link = self.link,
                "too much happens at once: {kind} is not in the timeline"
            );
            return;
        }
        let (recorder, log_limit) = (self.recorder.clone(), self.metrics.log_limit().clone());
        self.notes.push(Box::pin(async move {
            let noted = match duid {
                Some(duid) => recorder.note(duid, event).await,
                None => recorder.report(event).await,
            };
            if let Err(fault) = noted
                && let Some(held_back) = log_limit.admit("note-unrecorded")
            {
                tracing::warn!(held_back, "could not record {kind}: {}", with_causes(&fault));
            }
        }));
    }
}

/// Whether a binding is a registration of an address that the host made itself. It belongs to no association.
fn is_registered(bindings: &Bindings, binding: &Binding) -> bool {
    let registered = binding
        .leased
        .address()
        .and_then(|address| bindings.registration(address));
    registered == Some(binding)
}

/// The IAIDs of a client as text, if it has more than one of a kind; otherwise `None`.
///
/// A machine gives each of its interfaces its own IAID (RFC 9915, section 4.2). Two senders that use the same IAID are
/// two machines. With several IAIDs they may be one machine or two.
fn shared_by(held: &[&Binding]) -> Option<String> {
    let iaids_of = |prefixes: bool| -> BTreeSet<Iaid> {
        let own = held.iter().filter(|own| own.leased.prefix().is_some() == prefixes);
        own.map(|own| own.iaid).collect()
    };
    let (addresses, prefixes) = (iaids_of(false), iaids_of(true));
    if addresses.len().max(prefixes.len()) < 2 {
        return None;
    }
    let all: Vec<String> = addresses.union(&prefixes).map(|iaid| iaid.0.to_string()).collect();
    let (last, others) = all.split_last()?;
    Some(format!("{} and {last}", others.join(", ")))
}
