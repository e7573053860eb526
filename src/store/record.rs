//! Records what lease sources tell.

use sqlx::FromRow;

use super::batch::Batch;
use super::clients::{ensure_client, seen_leaving};
use super::connection::{execute, fetch_optional, statements};
use super::rules::{Decision, Known, decide};
use super::text::Columns;
use super::writer::Write;
use super::{Store, StoreError};
use crate::model::{ClientId, Duid, EventKind, LeaseChange, LeaseState, Leased, NewEvent, Timestamp};

statements! {
    KNOWN = "select l.client, c.duid, c.wants_instance, l.state, l.valid_until, l.changed
        from leases l join clients c on c.id = l.client where l.link = $1 and l.address = $2";
    HOLD = "insert into leases
            (link, address, client, iaid, source, state, next_hop, preferred_until, valid_until, granted,
            changed)
        values ($1, $2, $3, $4, $5, 'active', $6, $7, $8, $9, $9)
        on conflict (link, address) do update set client = excluded.client, iaid = excluded.iaid,
            source = excluded.source, state = excluded.state, next_hop = excluded.next_hop, preferred_until = excluded.preferred_until,
            valid_until = excluded.valid_until, granted = excluded.granted, changed = excluded.changed";
    EXTEND = "update leases set iaid = $3, source = $4, next_hop = $5, preferred_until = $6,
            valid_until = $7, changed = $8 where link = $1 and address = $2";
    END = "update leases set state = $3, valid_until = $4, changed = $5 where link = $1 and address = $2";
}

/// What became of a [`LeaseChange`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// Whose change it was; `None` only where the outcome is [`Outcome::Unknown`] and the client is, too.
    pub client: Option<ClientId>,
    /// What it did.
    pub outcome: Outcome,
    /// Whether what is wanted for the client may have changed: whoever provides for it looks again.
    pub matters: bool,
}

/// What a [`LeaseChange`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The client holds an address that it did not hold before.
    Granted,
    /// The client goes on holding its address.
    Renewed,
    /// Nothing: it was known already.
    Repeated,
    /// The lease ended: released, expired or declined.
    Ended,
    /// Nothing: a replayed change that the lease has gone past.
    Stale,
    /// Nothing: the end of a lease that the client does not have.
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
    /// Records what happened to leases, in order: all of it or nothing, in one commit.
    ///
    /// Returns when it is durable: an entry a change, after one for the client that the change took the address from.
    /// A client's DUID, link-layer address and host name are remembered with it. What begins or ends a lease is an
    /// event in the timeline; a mere renewal is none. A Hold that is news has its client want an instance.
    ///
    /// # Errors
    ///
    /// [`StoreError::Away`] when it could not be made durable: the client must not be told that it holds the lease.
    pub async fn record_leases(&self, changes: Vec<LeaseChange>) -> Result<Vec<Recorded>, StoreError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        self.write(RecordLeases(changes)).await
    }
}

struct RecordLeases(Vec<LeaseChange>);

impl Write for RecordLeases {
    type Output = Vec<Recorded>;
    const DOING: &'static str = "record leases";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Vec<Recorded>, StoreError> {
        let mut recorded = Vec::with_capacity(self.0.len());
        for change in &self.0 {
            record(batch, change, &mut recorded).await?;
        }
        Ok(recorded)
    }
}

async fn record(batch: &mut Batch<'_>, change: &LeaseChange, recorded: &mut Vec<Recorded>) -> Result<(), StoreError> {
    let row = known(batch, &change.link, change.leased).await?;
    let (known, wanted) = row.map_or((None, false), |(known, wanted)| (Some(known), wanted));
    let own = known
        .as_ref()
        .filter(|known| known.duid == change.duid)
        .map(|known| known.client);
    let (client, outcome, matters) = match decide(known.as_ref(), change) {
        Decision::Grant { ousted } => {
            if let Some(known) = known.filter(|_| ousted) {
                oust(batch, &known, change).await?;
                recorded.push(Recorded {
                    client: Some(known.client),
                    outcome: Outcome::Ended,
                    matters: true,
                });
            }
            let client = ensure_client(batch, own, change).await?;
            grant(batch, client, change).await?;
            (Some(client), Outcome::Granted, true)
        }
        Decision::Renew => {
            let client = ensure_client(batch, own, change).await?;
            extend(batch, change).await?;
            (Some(client), Outcome::Renewed, !wanted)
        }
        Decision::End(state) => {
            let until = known.map_or(change.valid_until, |known| known.valid_until);
            end(batch, own, until, change, state).await?;
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
    });
    Ok(())
}

#[derive(FromRow)]
struct KnownRow {
    client: String,
    duid: String,
    wants_instance: i64,
    state: String,
    valid_until: i64,
    changed: i64,
}

async fn known(batch: &mut Batch<'_>, link: &str, leased: Leased) -> Result<Option<(Known, bool)>, StoreError> {
    let row = fetch_optional!(
        &mut batch.tx,
        "look up a lease",
        KnownRow,
        KNOWN,
        link,
        leased.to_string()
    )?;
    let Some(row) = row else { return Ok(None) };
    let columns = Columns("lease");
    let known = Known {
        client: columns.parse("client", &row.client)?,
        duid: columns.parse::<Duid>("duid", &row.duid)?,
        state: columns.parse("state", &row.state)?,
        valid_until: Timestamp(row.valid_until),
        changed: Timestamp(row.changed),
    };
    Ok(Some((known, row.wants_instance != 0)))
}

async fn grant(batch: &mut Batch<'_>, client: ClientId, change: &LeaseChange) -> Result<(), StoreError> {
    execute!(
        &mut batch.tx,
        "record a lease",
        HOLD,
        change.link.as_str(),
        change.leased.to_string(),
        client.to_string(),
        i64::from(change.iaid.0),
        change.source.word(),
        change.next_hop.map(|hop| hop.to_string()),
        change.preferred_until.0,
        change.valid_until.0,
        change.at.0,
    )?;
    tell(batch, EventKind::LeaseGranted, client, change, None).await
}

async fn extend(batch: &mut Batch<'_>, change: &LeaseChange) -> Result<(), StoreError> {
    execute!(
        &mut batch.tx,
        "renew a lease",
        EXTEND,
        change.link.as_str(),
        change.leased.to_string(),
        i64::from(change.iaid.0),
        change.source.word(),
        change.next_hop.map(|hop| hop.to_string()),
        change.preferred_until.0,
        change.valid_until.0,
        change.at.0,
    )
    .map(drop)
}

/// Ends a lease of the change's own client; a declined one keeps the end of its quarantine.
async fn end(
    batch: &mut Batch<'_>,
    client: Option<ClientId>,
    valid_until: Timestamp,
    change: &LeaseChange,
    state: LeaseState,
) -> Result<(), StoreError> {
    let Some(client) = client else { return Ok(()) };
    let (kind, until) = match state {
        LeaseState::Declined => (EventKind::LeaseDeclined, change.valid_until),
        LeaseState::Expired => (EventKind::LeaseExpired, valid_until),
        _ => (EventKind::LeaseReleased, valid_until),
    };
    let address = change.leased.to_string();
    execute!(
        &mut batch.tx,
        "end a lease",
        END,
        change.link.as_str(),
        address,
        state.word(),
        until.0,
        change.at.0
    )?;
    seen_leaving(batch, client, change.at).await?;
    tell(batch, kind, client, change, None).await
}

/// Tells in the old holder's timeline that its address went to another client.
async fn oust(batch: &mut Batch<'_>, known: &Known, change: &LeaseChange) -> Result<(), StoreError> {
    let detail = format!("{} gave the address to client {}", change.source, change.duid);
    tell(batch, EventKind::LeaseExpired, known.client, change, Some(detail)).await
}

async fn tell(
    batch: &mut Batch<'_>,
    kind: EventKind,
    client: ClientId,
    change: &LeaseChange,
    detail: Option<String>,
) -> Result<(), StoreError> {
    let event = NewEvent {
        at: change.at,
        kind,
        link: Some(change.link.clone()),
        client: Some(client),
        instance: None,
        leased: Some(change.leased),
        detail,
    };
    batch.append_event(event).await.map(drop)
}
