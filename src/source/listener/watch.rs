//! What is done beside the answers: clients are watched for two machines with one DUID, and are told to ask again.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use orchestrator_dhcp6::{Answer, Inbound, Link, MessageKind, Reconfigure, Server};
use tokio::time::{Instant, sleep_until};

use super::Parts;
use super::contacts::{Contacts, Heard, Way};
use super::reconfigure::{Due, NotReconfigured, Reconfigurations, Reconfiguring};
use super::socket::{Port, Reply};
use crate::causes::with_causes;
use crate::metrics::Metrics;
use crate::model::{Clock, Duid, EventKind, NewEvent};
use crate::source::Recorder;

/// Rows of the timeline that may be on their way to the store. What comes beyond it is in the log and counted only.
const NOTES: usize = 16;
/// Lines of the log about cloned DUIDs in a minute: each takes a binding, which a stranger can make.
const LINES: u32 = 10;
const MINUTE: Duration = Duration::from_secs(60);

type Note = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Watches the clients of a link.
pub(super) struct Watch {
    link: String,
    recorder: Recorder,
    clock: Clock,
    metrics: Metrics,
    contacts: Contacts,
    reconfigurations: Reconfigurations,
    /// Rows of the timeline on their way: nothing waits for them.
    notes: FuturesUnordered<Note>,
    /// Since when lines were counted, and how many there were.
    lines: (Instant, u32),
}

impl Watch {
    /// A watch on the clients of a link, with the link's own port where it has one.
    pub(super) fn new(parts: &Parts, own: Option<&Arc<Port>>) -> Self {
        Self {
            link: parts.link.clone(),
            recorder: parts.recorder.clone(),
            clock: parts.clock,
            metrics: parts.metrics.clone(),
            contacts: Contacts::new(own.map(Arc::downgrade).unwrap_or_default()),
            reconfigurations: Reconfigurations::new(),
            notes: FuturesUnordered::new(),
            lines: (Instant::now(), 0),
        }
    }

    /// Notes who spoke from where, of every message that is answered. `valid` is how long a lease lasts.
    pub(super) fn hear(&mut self, inbound: &Inbound<'_>, port: &Arc<Port>, answer: &Answer, valid: Duration) {
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
            // It comes from the address that is registered.
            MessageKind::AddrRegInform => return,
            MessageKind::Decline => None,
            _ => Some(answer.reconfigurable),
        };
        if !answer.client_address.is_unicast_link_local() {
            return;
        }
        let other = self.contacts.hear(Heard {
            duid,
            address: answer.client_address,
            reconfigurable,
            relayed: inbound.is_relayed().then(|| Way {
                port: Arc::downgrade(port),
                relay: answer.destination,
                back: inbound.way_back().ok().flatten(),
            }),
            now: self.clock.now(),
            valid,
        });
        if let Some(other) = other {
            self.tell_cloned(duid, &format!("{} and {other}", answer.client_address));
        }
    }

    /// Has a client ask again: begins at once, and goes on until it does.
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

    /// Goes over to other settings: where clients may not be reconfigured any more, none is.
    pub(super) fn follow(&mut self, link: &Link) {
        if !link.reconfigure {
            self.reconfigurations.clear();
        }
    }

    /// Waits until something is to be sent. Cancel-safe.
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

    /// What is to be sent now, and where to.
    pub(super) fn take_due(&mut self, server: &Server) -> Vec<Reply> {
        let mut datagrams = Vec::new();
        for due in self.reconfigurations.take_due(Instant::now()) {
            match due {
                Due::Send { duid, what, route } => {
                    let now = self.clock.now().0;
                    // Without its port it is lost, as any datagram may be.
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

    /// Ends what has begun: rows of the timeline that are on their way are written.
    pub(super) async fn finish(&mut self) {
        while self.notes.next().await.is_some() {}
    }

    fn tell_cloned(&mut self, duid: &Duid, addresses: &str) {
        self.metrics.dhcp6_cloned_duid();
        let told = format!(
            "two machines, or two interfaces of one, use the DUID {duid} by turns, from {addresses}; they are served as \
             one client. Give each machine a DUID of its own: in the copy, remove the DHCP client's file of its DUID, \
             or make /etc/machine-id anew, and restart the client"
        );
        if self.may_write_a_line() {
            tracing::warn!(link = self.link, %duid, "cloned DUID: {told}");
        }
        self.note(duid, EventKind::ClonedDuid, told);
    }

    fn tell_unanswered(&mut self, duid: &Duid, what: Reconfigure) {
        self.metrics.dhcp6_reconfigure("unanswered");
        tracing::info!(link = self.link, %duid, message = %what.message(), "the client did not answer to Reconfigure");
        let told = "the client was asked to ask again and did not: it asks by itself when its lease is half over";
        self.note(duid, EventKind::ReconfigureUnanswered, told.to_owned());
    }

    fn may_write_a_line(&mut self) -> bool {
        let (since, written) = &mut self.lines;
        if since.elapsed() >= MINUTE {
            (*since, *written) = (Instant::now(), 0);
        }
        *written = written.saturating_add(1);
        *written <= LINES
    }

    /// Puts a row into the client's timeline, when the store comes to it.
    fn note(&mut self, duid: &Duid, kind: EventKind, detail: String) {
        if self.notes.len() >= NOTES {
            tracing::debug!(link = self.link, %duid, "too much happens at once: {kind} is not in the timeline");
            return;
        }
        let (recorder, duid) = (self.recorder.clone(), duid.clone());
        let log_limit = self.metrics.log_limit().clone();
        let event = NewEvent {
            at: self.clock.now(),
            kind,
            link: Some(self.link.clone()),
            client: None,
            instance: None,
            leased: None,
            detail: Some(detail),
        };
        self.notes.push(Box::pin(async move {
            if let Err(fault) = recorder.note(duid, event).await
                && let Some(held_back) = log_limit.admit("note-unrecorded")
            {
                tracing::warn!(held_back, "could not record {kind}: {}", with_causes(&fault));
            }
        }));
    }
}
