//! Changes the times of instances.

use std::time::Duration;

use sqlx::FromRow;

use super::batch::Batch;
use super::connection::{execute, statements};
use super::text::{Columns, plain};
use super::writer::Write;
use super::{Store, StoreError, instances};
use orchestrator_model::{Instance, InstanceId, NewEvent, Phase, TimeChange, Times, Timestamp};

statements! {
    TIMES = "update instances set phase = $2, attempts = $3, due = $4, changed = $5, until = $6, active = $7, packets = $8,
            pinned = $9, kept_until = $10, warned = $11, expired = $12, reason = $13,
            extended = $14, off = $15, reset = $16
        where id = $1";
    // A count that comes late must change nothing else.
    COUNT = "update instances set packets = $2, active = coalesce($3, active)
        where id = $1 and phase not in ('removing', 'removed')";
    SPEND = "insert into spent_slots (owner_kind, owner, slot, at) values ($1, $2, $3, $4)
        on conflict (owner_kind, owner, slot) do update set at = excluded.at";
    GIVE_BACK = "delete from spent_slots where owner_kind = $1 and owner = $2 and slot = $3";
}

const COLUMNS: Columns = Columns("instance");

/// The columns of an instance's times.
#[derive(FromRow)]
pub(super) struct TimesRow {
    until: Option<i64>,
    idle: Option<i64>,
    active: Option<i64>,
    packets: Option<i64>,
    pinned: Option<i64>,
    kept_until: Option<i64>,
    warned: Option<i64>,
    expired: Option<String>,
    extended: i64,
    off: Option<i64>,
    reset: Option<i64>,
}

impl TimesRow {
    pub(super) fn read(&self) -> Result<Times, StoreError> {
        let count = |name, column: Option<i64>| column.map(|number| COLUMNS.count(name, number)).transpose();
        Ok(Times {
            until: self.until.map(Timestamp),
            idle: count("idle", self.idle)?.map(Duration::from_millis),
            active: self.active.map(Timestamp),
            packets: count("packets", self.packets)?,
            pinned: self.pinned.map(Timestamp),
            kept_until: self.kept_until.map(Timestamp),
            warned: self.warned.map(Timestamp),
            expired: COLUMNS.parse_some("expired", self.expired.as_deref())?,
            extended: u32::try_from(self.extended).unwrap_or(u32::MAX),
            off: self.off.map(Timestamp),
            reset: self.reset.map(Timestamp),
        })
    }
}

/// A duration as a column.
pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A count of packets as a column.
fn counted(packets: u64) -> i64 {
    i64::try_from(packets).unwrap_or(i64::MAX)
}

impl Store {
    /// Changes the times of an instance, with an event for everything but a count. Returns the changed instance.
    ///
    /// When the time of a client's instance ends, its slot is recorded as spent. `by` is the caller.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchInstance`]; [`StoreError::Time`] when the change does not fit the instance's present state;
    /// when the database is unreachable.
    pub async fn change_times(
        &self,
        id: InstanceId,
        change: TimeChange,
        at: Timestamp,
        by: Option<String>,
    ) -> Result<Instance, StoreError> {
        self.write(ChangeTimes { id, change, at, by }).await
    }

    /// Records counts of packets: of each instance the new count, and whether there was traffic since the last one.
    /// An instance that is gone is left out.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn count_traffic(&self, counts: Vec<(InstanceId, u64, bool)>, at: Timestamp) -> Result<(), StoreError> {
        match counts.is_empty() {
            true => Ok(()),
            false => self.write(CountTraffic { counts, at }).await,
        }
    }
}

struct ChangeTimes {
    id: InstanceId,
    change: TimeChange,
    at: Timestamp,
    by: Option<String>,
}

impl Write for ChangeTimes {
    type Output = Instance;
    const DOING: &'static str = "record the times of an instance";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Instance, StoreError> {
        let found = instances::find(&mut batch.tx, self.id).await?;
        let before = found.ok_or(StoreError::NoSuchInstance(self.id))?.instance;
        let refused = |why| StoreError::Time { instance: self.id, why };
        let after = before.with_times(&self.change, self.at).map_err(refused)?;
        if after == before {
            return Ok(after);
        }
        write(batch, &after).await?;
        self.spend(batch, &after).await?;
        if let Some((kind, detail)) = self.change.event(&after) {
            let event = NewEvent {
                detail,
                by: self.by.clone(),
                ..after.event(self.at, kind)
            };
            batch.append_event(event).await?;
        }
        Ok(after)
    }
}

impl ChangeTimes {
    /// Records that the slot of a client is spent, or is not any more.
    async fn spend(&self, batch: &mut Batch<'_>, after: &Instance) -> Result<(), StoreError> {
        if after.client().is_none() {
            return Ok(());
        }
        let (kind, owner) = (after.owner.kind().word(), after.owner.name());
        match self.change {
            TimeChange::Expire { .. } => execute!(
                &mut batch.tx,
                "record that a slot is spent",
                SPEND,
                kind,
                owner,
                after.slot.as_str(),
                self.at.0
            )
            .map(drop),
            TimeChange::Extend(_) | TimeChange::ExtendByClient if after.phase == Phase::Stopped => execute!(
                &mut batch.tx,
                "record that a slot is not spent",
                GIVE_BACK,
                kind,
                owner,
                after.slot.as_str()
            )
            .map(drop),
            _ => Ok(()),
        }
    }
}

async fn write(batch: &mut Batch<'_>, after: &Instance) -> Result<(), StoreError> {
    let times = &after.times;
    let moment = |at: Option<Timestamp>| at.map(|at| at.0);
    execute!(
        &mut batch.tx,
        "record the times of an instance",
        TIMES,
        after.id.to_string(),
        after.phase.word(),
        i64::from(after.attempts),
        moment(after.due),
        after.changed.0,
        moment(times.until),
        moment(times.active),
        times.packets.map(counted),
        moment(times.pinned),
        moment(times.kept_until),
        moment(times.warned),
        times.expired.map(|expiry| expiry.word()),
        after.reason.clone().map(plain),
        i64::from(times.extended),
        moment(times.off),
        moment(times.reset),
    )
    .map(drop)
}

struct CountTraffic {
    counts: Vec<(InstanceId, u64, bool)>,
    at: Timestamp,
}

impl Write for CountTraffic {
    type Output = ();
    const DOING: &'static str = "record counts of packets";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        for (id, packets, active) in &self.counts {
            execute!(
                &mut batch.tx,
                "record a count of packets",
                COUNT,
                id.to_string(),
                counted(*packets),
                active.then_some(self.at.0)
            )?;
        }
        Ok(())
    }
}
