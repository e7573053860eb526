//! Records the phase of an instance.

use std::collections::BTreeMap;

use super::batch::Batch;
use super::connection::{execute, statements};
use super::text::plain;
use super::writer::Write;
use super::{Store, StoreError, volumes};
use orchestrator_model::{InstanceId, NewEvent, Phase, Timestamp};

statements! {
    // `ready` is when it first answered: it is written once.
    UPDATE = "update instances set phase = $2, reason = $3, attempts = $4, due = $5,
            ready = coalesce(ready, $6), changed = case when phase = $2 then changed else $7 end, kept_until = $8,
            reset = case when reset <= $9 then null else reset end,
            expired = case when $2 in ('stopped', 'removing', 'removed') then expired else null end
        where id = $1 and (phase not in ('removing', 'removed') or (phase = 'removing' and $2 in ('removing', 'removed')))";
    REFERENCE = "update containers set reference = $3 where instance = $1 and name = $2";
    NO_REFERENCES = "update containers set reference = null where instance = $1 and reference is not null";
    LET_GO = "update attachments set live = 0 where instance = $1";
}

/// The new state of an instance. Each field replaces the recorded one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceUpdate {
    /// The phase.
    pub phase: Phase,
    /// The reason for the phase, if there is one.
    pub reason: Option<String>,
    /// The number of tries since it was last ready.
    pub attempts: u32,
    /// When the next try begins, or when the grace period ends; see [`Instance::due`](orchestrator_model::Instance).
    pub due: Option<Timestamp>,
    /// The engine's names for its containers, by the containers' names. A container that is missing here has no name.
    /// `None` changes none of them.
    pub references: Option<BTreeMap<String, String>>,
    /// When it answered. The first such time is kept.
    pub ready: Option<Timestamp>,
    /// When it is removed after it was stopped.
    pub kept_until: Option<Timestamp>,
    /// The request for a restart that is done with this update, by its time; a later one stays. `None` for none.
    pub reset: Option<Timestamp>,
    /// The present time.
    pub at: Timestamp,
}

impl Store {
    /// Records the phase of an instance, with an event.
    ///
    /// Returns `false` and writes nothing if there is no such instance or the transition is not allowed: an instance
    /// never leaves [`Phase::Removed`], and leaves [`Phase::Removing`] only for `Removed`.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn update_instance(
        &self,
        id: InstanceId,
        update: InstanceUpdate,
        event: Option<NewEvent>,
    ) -> Result<bool, StoreError> {
        self.write(UpdateInstance { id, update, event }).await
    }
}

struct UpdateInstance {
    id: InstanceId,
    update: InstanceUpdate,
    event: Option<NewEvent>,
}

impl Write for UpdateInstance {
    type Output = bool;
    const DOING: &'static str = "record where an instance is";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<bool, StoreError> {
        let update = &self.update;
        let touched = execute!(
            &mut batch.tx,
            "record where an instance is",
            UPDATE,
            self.id.to_string(),
            update.phase.word(),
            update.reason.clone().map(plain),
            i64::from(update.attempts),
            update.due.map(|due| due.0),
            update.ready.map(|ready| ready.0),
            update.at.0,
            update.kept_until.map(|until| until.0),
            update.reset.map(|reset| reset.0),
        )?;
        if touched == 0 {
            return Ok(false);
        }
        if let Some(references) = &update.references {
            self.refer(batch, references).await?;
        }
        if update.phase == Phase::Removed {
            let id = self.id.to_string();
            execute!(&mut batch.tx, "give back the addresses of an instance", LET_GO, id)?;
            volumes::let_go(batch, self.id, update.at).await?;
        }
        if let Some(event) = &self.event {
            batch.append_event(event.clone()).await?;
        }
        Ok(true)
    }
}

impl UpdateInstance {
    /// Records the engine's names for the containers.
    async fn refer(&self, batch: &mut Batch<'_>, references: &BTreeMap<String, String>) -> Result<(), StoreError> {
        execute!(
            &mut batch.tx,
            "record the containers of an instance",
            NO_REFERENCES,
            self.id.to_string()
        )?;
        for (name, reference) in references {
            let (id, reference) = (self.id.to_string(), plain(reference.clone()));
            execute!(
                &mut batch.tx,
                "record the containers of an instance",
                REFERENCE,
                id,
                name.as_str(),
                reference
            )?;
        }
        Ok(())
    }
}
