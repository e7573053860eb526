//! Records what the reconciler of a service decides.

use super::rows::column;
use super::{event, operations, read};
use crate::batch::Batch;
use crate::connection::{execute, statements};
use crate::text::plain;
use crate::writer::Write;
use crate::{Store, StoreError};
use orchestrator_model::{EventKind, NewEvent, OperationState, ServiceSlot, Timestamp};

statements! {
    PUT_SLOT = "insert into service_slots
            (service, slot, version, state, health, instance, opened, since, detail)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        on conflict (service, slot) do update set version = excluded.version, state = excluded.state,
            health = excluded.health, instance = excluded.instance, opened = excluded.opened,
            since = excluded.since, detail = excluded.detail";
    DELETE_SLOT = "delete from service_slots where service = $1 and slot = $2";
    GOOD = "update services set good_version = $2, reason = null where name = $1";
    FAILURES = "update services set failures = $2, failed_at = $3 where name = $1";
    BACK = "update services set version = $2, generation = $3, reason = $4, given_up = $5, failures = $6 where name = $1";
}

/// What the reconciler of a service has decided. All of it is recorded in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceUpdate {
    /// The service.
    pub service: String,
    /// The generation of the service for which it was decided.
    pub generation: u64,
    /// What becomes of slots.
    pub slots: Vec<SlotChange>,
    /// The failures of the service's version, if they are others than before.
    pub failures: Option<Failures>,
    /// What the roll has shown of the version, if it has.
    pub outcome: Option<RollOutcome>,
    /// Whether all is as wanted, so that the operation that runs is done.
    pub settled: bool,
    /// What the operation that runs waits for, if that is something else than before.
    pub waits: Option<Waits>,
    /// When it was decided.
    pub at: Timestamp,
}

/// What the operation that runs on a service waits for, for people; `None` for nothing that they could change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waits(pub Option<String>);

/// A change of one slot.
#[derive(Debug, Clone, PartialEq)]
pub struct SlotChange {
    /// The slot as it is from now on.
    pub slot: ServiceSlot,
    /// Whether the row is deleted.
    pub gone: bool,
    /// The event of the change.
    pub event: Option<NewEvent>,
}

/// Failures of instances of a service's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// How many there were in a row.
    pub in_a_row: u32,
    /// When the last one was.
    pub last: Option<Timestamp>,
}

/// What a roll has shown of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RollOutcome {
    /// All instances of the version have served steadily, or it is the first of which all serve.
    Good {
        /// The version, which is good from now on.
        version: u64,
    },
    /// The version failed.
    GaveUp {
        /// The version.
        version: u64,
        /// The version to go back to; `None` if none was ever good.
        back_to: Option<u64>,
        /// Why.
        reason: String,
    },
}

impl Store {
    /// Records what the reconciler of a service has decided, if the service still has the generation for which it was.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchService`], [`StoreError::ServiceChanged`]; when the database is unreachable.
    pub async fn update_service(&self, update: ServiceUpdate) -> Result<(), StoreError> {
        let settled = update.settled;
        self.write(update).await?;
        if settled {
            self.shared.settled.send_modify(|count| *count += 1);
        }
        Ok(())
    }
}

impl Write for ServiceUpdate {
    type Output = ();
    const DOING: &'static str = "record the slots of a service";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let found = read::find(&mut batch.tx, &self.service).await?;
        let found = found.ok_or_else(|| StoreError::NoSuchService(self.service.clone()))?;
        if found.generation != self.generation {
            return Err(StoreError::ServiceChanged {
                name: found.name,
                generation: found.generation,
                expected: self.generation,
            });
        }
        for change in &self.slots {
            put(batch, &self.service, change).await?;
        }
        if let Some(Failures { in_a_row, last }) = self.failures {
            let (in_a_row, last) = (i64::from(in_a_row), last.map(|last| last.0));
            execute!(
                &mut batch.tx,
                "count failures",
                FAILURES,
                self.service.as_str(),
                in_a_row,
                last
            )?;
        }
        if let Some(Waits(detail)) = &self.waits {
            operations::wait(batch, &self.service, detail.clone()).await?;
        }
        match &self.outcome {
            None => {}
            Some(RollOutcome::Good { version }) if found.good_version == Some(*version) => {}
            Some(RollOutcome::Good { version }) => self.is_good(batch, *version).await?,
            Some(RollOutcome::GaveUp {
                version,
                back_to,
                reason,
            }) => self.give_up(batch, *version, *back_to, reason).await?,
        }
        if self.settled {
            operations::end(batch, &self.service, OperationState::Done, None, self.at).await?;
        }
        Ok(())
    }
}

impl ServiceUpdate {
    async fn is_good(&self, batch: &mut Batch<'_>, version: u64) -> Result<(), StoreError> {
        let name = self.service.as_str();
        let number = column(version)?;
        execute!(&mut batch.tx, "record a good version", GOOD, name, number)?;
        let detail = format!("version {version} serves");
        let event = event(EventKind::ServiceRolled, name, detail, self.at, None);
        batch.append_event(event).await.map(drop)
    }

    async fn give_up(
        &self,
        batch: &mut Batch<'_>,
        version: u64,
        back_to: Option<u64>,
        reason: &str,
    ) -> Result<(), StoreError> {
        let name = self.service.as_str();
        let (target, generation) = (column(back_to.unwrap_or(version))?, column(self.generation + 1)?);
        let (given_up, detail) = match back_to {
            Some(back) => (
                None,
                format!("version {version} failed: {reason}; the service goes back to version {back}"),
            ),
            None => (
                Some(column(version)?),
                format!("version {version} failed: {reason}; there is no earlier version to go back to"),
            ),
        };
        // Without a version to go back to, the failures go on to count, so that it is tried again slowly.
        let failures = match (back_to, self.failures) {
            (None, Some(failures)) => failures.in_a_row,
            _ => 0,
        };
        execute!(
            &mut batch.tx,
            "go back to an earlier version",
            BACK,
            name,
            target,
            generation,
            plain(detail.clone()),
            given_up,
            i64::from(failures),
        )?;
        operations::end(batch, name, OperationState::Failed, Some(detail.clone()), self.at).await?;
        let event = event(EventKind::ServiceRolledBack, name, detail, self.at, None);
        batch.append_event(event).await.map(drop)
    }
}

async fn put(batch: &mut Batch<'_>, service: &str, change: &SlotChange) -> Result<(), StoreError> {
    let slot = &change.slot;
    let number = i64::from(slot.number);
    if change.gone {
        execute!(
            &mut batch.tx,
            "delete a slot of a service",
            DELETE_SLOT,
            service,
            number
        )?;
    } else {
        let version = column(slot.version)?;
        execute!(
            &mut batch.tx,
            "record a slot of a service",
            PUT_SLOT,
            service,
            number,
            version,
            slot.state.word(),
            slot.health.word(),
            slot.instance.map(|instance| instance.to_string()),
            slot.opened.0,
            slot.since.0,
            slot.detail.clone().map(plain),
        )?;
    }
    if let Some(event) = &change.event {
        batch.append_event(event.clone()).await?;
    }
    Ok(())
}
