//! An admin's removal of an instance.

use super::batch::Batch;
use super::connection::{execute, statements};
use super::text::plain;
use super::writer::Write;
use super::{Store, StoreError, clients, instances};
use orchestrator_model::{EventKind, Instance, InstanceId, NewEvent, Phase, Timestamp};

statements! {
    REMOVING = "update instances set phase = 'removing', reason = $2, attempts = 0, due = null, changed = $3
        where id = $1";
}

impl Store {
    /// Has an instance removed, and its client be given no other until its next lease event.
    ///
    /// One that is on its way out stays so and one that is gone stays gone: asking again changes nothing but, in the
    /// first case, that the client wants none. `detail` says why, and `by` who asked for it.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchInstance`] when there never was one; when the database is away.
    pub async fn destroy_instance(
        &self,
        id: InstanceId,
        at: Timestamp,
        detail: Option<String>,
        by: Option<String>,
    ) -> Result<Instance, StoreError> {
        self.write(DestroyInstance { id, at, detail, by }).await
    }
}

struct DestroyInstance {
    id: InstanceId,
    at: Timestamp,
    detail: Option<String>,
    by: Option<String>,
}

impl Write for DestroyInstance {
    type Output = Instance;
    const DOING: &'static str = "record the removal of an instance";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Instance, StoreError> {
        let found = instances::find(&mut batch.tx, self.id).await?;
        let mut instance = found.ok_or(StoreError::NoSuchInstance(self.id))?.instance;
        match instance.phase {
            // Its client may have another one by now, which is none of this call's business.
            Phase::Removed => return Ok(instance),
            Phase::Removing => {}
            _ => {
                self.begin(batch, &instance).await?;
                instance.phase = Phase::Removing;
                instance.reason = self.detail.clone();
                instance.attempts = 0;
                instance.due = None;
                instance.changed = self.at;
            }
        }
        if let Some(client) = instance.client() {
            clients::unwant(batch, client).await?;
        }
        Ok(instance)
    }
}

impl DestroyInstance {
    async fn begin(&self, batch: &mut Batch<'_>, instance: &Instance) -> Result<(), StoreError> {
        let reason = self.detail.clone().map(plain);
        execute!(
            &mut batch.tx,
            "record the removal of an instance",
            REMOVING,
            self.id.to_string(),
            reason,
            self.at.0
        )?;
        let event = NewEvent {
            detail: self.detail.clone(),
            by: self.by.clone(),
            ..instance.event(self.at, EventKind::InstanceDestroyed)
        };
        batch.append_event(event).await.map(drop)
    }
}
