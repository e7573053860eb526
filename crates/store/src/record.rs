//! Records the events of lease sources.

use super::batch::Batch;
use super::ledger::{Ledger, News};
use super::rules::{Decision, decide};
use super::{Store, StoreError};
use orchestrator_model::{ClientId, EventKind, LeaseChange, LeaseState, LeaseVerb, NewEvent};

/// The result of a [`LeaseChange`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The client; `None` only if the outcome is [`Outcome::Unknown`] and the client is unknown too.
    pub client: Option<ClientId>,
    /// Its effect.
    pub outcome: Outcome,
    /// Whether the change may affect the client's instances, so that their reconcilers must be notified.
    pub matters: bool,
    /// Whether the client continues to hold its lease, and at another place than was recorded. The timeline does not say
    /// so.
    pub moved: bool,
    /// Whether the client continues to hold its lease, and has another host name than was recorded. The timeline does not
    /// say so.
    pub renamed: bool,
}

/// The effect of a [`LeaseChange`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The client holds an address that it did not hold before.
    Granted,
    /// The client continues to hold its address.
    Renewed,
    /// Nothing: the change was already recorded.
    Repeated,
    /// The lease ended: released, expired or declined.
    Ended,
    /// Nothing: a replayed change that is older than the lease's state.
    Stale,
    /// Nothing: a change of a lease that the client does not have.
    Unknown,
}

impl Outcome {
    /// The word for it, for counters and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Renewed => "renewed",
            Self::Repeated => "repeated",
            Self::Ended => "ended",
            Self::Stale => "stale",
            Self::Unknown => "unknown",
        }
    }
}

impl Store {
    /// Records changes of leases in order: all or none, in one commit.
    ///
    /// Returns once the commit is durable. The result has one entry per change; if a change took the address from
    /// another client, an extra entry for that client precedes it. The client's DUID, link-layer address and host name
    /// are recorded with it. The beginning and the end of a lease are events in the timeline; a renewal is not. After a
    /// new Hold, the client wants an instance.
    ///
    /// # Errors
    ///
    /// [`StoreError::Away`] when the commit failed: do not answer the client.
    pub async fn record_leases(&self, changes: Vec<LeaseChange>) -> Result<Vec<Recorded>, StoreError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        self.shared.queue.record(changes).await
    }
}

/// Records several callers' changes as one group. Returns the results of each caller.
pub(super) async fn record_all(
    batch: &mut Batch<'_>,
    callers: &[&[LeaseChange]],
) -> Result<Vec<Vec<Recorded>>, StoreError> {
    let changes: Vec<&LeaseChange> = callers.iter().copied().flatten().collect();
    if changes.is_empty() {
        return Ok(vec![Vec::new(); callers.len()]);
    }
    let mut ledger = Ledger::read(batch, &changes).await?;
    let mut events = Vec::new();
    let mut all = Vec::with_capacity(callers.len());
    for given in callers {
        let mut recorded = Vec::with_capacity(given.len());
        for change in *given {
            record(&mut ledger, change, &mut events, &mut recorded)?;
        }
        all.push(recorded);
    }
    ledger.write(batch).await?;
    batch.append_events(events).await?;
    Ok(all)
}

fn record(
    ledger: &mut Ledger,
    change: &LeaseChange,
    events: &mut Vec<NewEvent>,
    recorded: &mut Vec<Recorded>,
) -> Result<(), StoreError> {
    let (known, wanted) = ledger
        .known(change)
        .map_or((None, false), |(known, wanted)| (Some(known), wanted));
    let own = known
        .as_ref()
        .filter(|known| known.duid == change.duid)
        .map(|known| known.client);
    let mut news = News::default();
    let (client, outcome, matters) = match decide(known.as_ref(), change) {
        Decision::Grant { ousted } => {
            if let Some(known) = known.filter(|_| ousted) {
                // The former holder's timeline names the client that has its address now.
                let detail = format!("{} gave the address to client {}", change.source, change.duid);
                events.push(event(EventKind::LeaseExpired, known.client, change, Some(detail)));
                recorded.push(Recorded {
                    client: Some(known.client),
                    outcome: Outcome::Ended,
                    matters: true,
                    moved: false,
                    renamed: false,
                });
            }
            let client = ledger.grant(change)?;
            events.push(event(EventKind::LeaseGranted, client, change, None));
            (Some(client), Outcome::Granted, true)
        }
        Decision::Renew => {
            let (client, about) = ledger.extend(change)?;
            news = about;
            (Some(client), Outcome::Renewed, !wanted)
        }
        Decision::End(state) => {
            ledger.end(change, state);
            events.extend(own.map(|client| event(end_of(change.verb, state), client, change, None)));
            (own, Outcome::Ended, true)
        }
        Decision::Repeated => (own, Outcome::Repeated, false),
        Decision::Stale => (own, Outcome::Stale, false),
        Decision::Unknown => (own, Outcome::Unknown, false),
    };
    recorded.push(Recorded {
        client,
        outcome,
        matters,
        moved: news.moved,
        renamed: news.renamed,
    });
    Ok(())
}

fn end_of(verb: LeaseVerb, state: LeaseState) -> EventKind {
    match state {
        _ if verb == LeaseVerb::Lift => EventKind::QuarantineLifted,
        LeaseState::Declined => EventKind::LeaseDeclined,
        LeaseState::Expired => EventKind::LeaseExpired,
        LeaseState::Active | LeaseState::Released => EventKind::LeaseReleased,
    }
}

fn event(kind: EventKind, client: ClientId, change: &LeaseChange, detail: Option<String>) -> NewEvent {
    NewEvent {
        link: Some(change.link.clone()),
        client: Some(client),
        leased: Some(change.leased),
        detail,
        ..NewEvent::new(change.at, kind)
    }
}
