//! The removal of an instance by an admin.

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
    /// Marks an instance for removal. Its client gets no other instance until its next lease event.
    ///
    /// An instance that is being removed or is gone stays so. For one that is being removed, the client's wish for an
    /// instance is still cleared. `detail` is the reason, and `by` the caller.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchInstance`] when there never was one with this id; when the database is unreachable.
    pub async fn destroy_instance(
        &self,
        id: InstanceId,
        at: Timestamp,
        detail: Option<String>,
        by: Option<String>,
    ) -> Result<Instance, StoreError> {
        let keeps_wish = false;
        self.write(DestroyInstance {
            id,
            at,
            detail,
            by,
            keeps_wish,
        })
        .await
    }

    /// Marks an instance for removal. Its client gets another one as soon as it is gone.
    ///
    /// # Errors
    ///
    /// As [`destroy_instance`](Self::destroy_instance).
    pub async fn replace_instance(
        &self,
        id: InstanceId,
        at: Timestamp,
        detail: Option<String>,
        by: Option<String>,
    ) -> Result<Instance, StoreError> {
        let keeps_wish = true;
        self.write(DestroyInstance {
            id,
            at,
            detail,
            by,
            keeps_wish,
        })
        .await
    }
}

struct DestroyInstance {
    id: InstanceId,
    at: Timestamp,
    detail: Option<String>,
    by: Option<String>,
    /// Whether the client still is to have an instance.
    keeps_wish: bool,
}

impl Write for DestroyInstance {
    type Output = Instance;
    const DOING: &'static str = "record the removal of an instance";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Instance, StoreError> {
        let found = instances::find(&mut batch.tx, self.id).await?;
        let mut instance = found.ok_or(StoreError::NoSuchInstance(self.id))?.instance;
        match instance.phase {
            // The client may have another instance by now, which this does not affect.
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
        if let Some(client) = instance.client().filter(|_| !self.keeps_wish) {
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
