//! The way out of a volume: it is recorded that it is to go, its directory is removed, and then its row.

use super::find;
use crate::batch::Batch;
use crate::connection::{execute, statements};
use crate::writer::Write;
use crate::{Store, StoreError};
use orchestrator_model::{EventKind, NewEvent, RecordedVolume, Timestamp, VolumeId, VolumeState};

statements! {
    // By a rule: only as it was when the rule was applied, and not when its owner has a lease again.
    EXPIRE = "update volumes set state = 'removing' where id = $1 and holder is null and state = 'kept' and used = $2
        and (keep <> 'after-lease'
            or not exists (select 1 from leases l where l.client = volumes.owner and l.state = 'active'))";
    DESTROY = "update volumes set state = 'removing' where id = $1 and holder is null and state = 'kept'";
    FORGET = "delete from volumes where id = $1 and state = 'removing'";
}

impl Store {
    /// Records that a volume is to be removed because its time is over; `false` when it is used again by now.
    ///
    /// # Errors
    ///
    /// When the database is away.
    pub async fn expire_volume(&self, volume: &RecordedVolume, at: Timestamp) -> Result<bool, StoreError> {
        let volume = volume.clone();
        self.write(ExpireVolume { volume, at }).await
    }

    /// Records that a volume is to be removed because somebody asks for it; gives it as it is then. `by` is who asks.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchVolume`]; [`StoreError::VolumeHeld`] when an instance holds it; when the database is away.
    pub async fn destroy_volume(
        &self,
        id: VolumeId,
        by: Option<String>,
        at: Timestamp,
    ) -> Result<RecordedVolume, StoreError> {
        self.write(DestroyVolume { id, by, at }).await
    }

    /// Forgets a volume whose directory is gone. Nothing happens to one that is not being removed.
    ///
    /// # Errors
    ///
    /// When the database is away.
    pub async fn forget_volume(&self, volume: &RecordedVolume, at: Timestamp) -> Result<(), StoreError> {
        let volume = volume.clone();
        self.write(ForgetVolume { volume, at }).await
    }
}

/// An event that happens to a volume.
fn event(volume: &RecordedVolume, at: Timestamp, kind: EventKind) -> NewEvent {
    NewEvent {
        client: volume.owner.client(),
        host: Some(volume.host.clone()),
        detail: Some(format!("volume {} ({})", volume.id, volume.name)),
        ..NewEvent::new(at, kind)
    }
}

struct ExpireVolume {
    volume: RecordedVolume,
    at: Timestamp,
}

impl Write for ExpireVolume {
    type Output = bool;
    const DOING: &'static str = "record that the time of a volume is over";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<bool, StoreError> {
        let (id, used) = (self.volume.id.to_string(), self.volume.used.0);
        let expired = execute!(
            &mut batch.tx,
            "record that the time of a volume is over",
            EXPIRE,
            id,
            used
        )? > 0;
        if expired {
            let event = event(&self.volume, self.at, EventKind::VolumeExpired);
            batch.append_event(event).await?;
        }
        Ok(expired)
    }
}

struct DestroyVolume {
    id: VolumeId,
    by: Option<String>,
    at: Timestamp,
}

impl Write for DestroyVolume {
    type Output = RecordedVolume;
    const DOING: &'static str = "record the removal of a volume";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<RecordedVolume, StoreError> {
        let found = find(&mut batch.tx, self.id).await?;
        let mut volume = found.ok_or(StoreError::NoSuchVolume(self.id))?;
        if let Some(instance) = volume.holder {
            let volume = self.id;
            return Err(StoreError::VolumeHeld { volume, instance });
        }
        if execute!(
            &mut batch.tx,
            "record the removal of a volume",
            DESTROY,
            self.id.to_string()
        )? > 0
        {
            volume.state = VolumeState::Removing;
            let event = NewEvent {
                by: self.by.clone(),
                ..event(&volume, self.at, EventKind::VolumeDestroyed)
            };
            batch.append_event(event).await?;
        }
        Ok(volume)
    }
}

struct ForgetVolume {
    volume: RecordedVolume,
    at: Timestamp,
}

impl Write for ForgetVolume {
    type Output = ();
    const DOING: &'static str = "forget a volume";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        if execute!(&mut batch.tx, "forget a volume", FORGET, self.volume.id.to_string())? > 0 {
            let event = event(&self.volume, self.at, EventKind::VolumeRemoved);
            batch.append_event(event).await?;
        }
        Ok(())
    }
}
