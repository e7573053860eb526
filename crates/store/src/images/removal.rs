//! The removal of an image that nothing uses: it is recorded that it is to go, the engine removes it, and then its row
//! goes.

use crate::batch::Batch;
use crate::connection::{execute, statements};
use crate::writer::Write;
use crate::{Store, StoreError};
use orchestrator_model::{EventKind, ImageKey, NewEvent, Timestamp};

statements! {
    BEGIN = concat!(
        "update images set state = 'removing' where host = $1 and engine = $2 and id = $3 and state = 'kept'
        and not exists (
            select 1 from template_images p
            where p.host = $1 and p.engine = $2 and p.digest = $3 and ",
        in_use!(),
        ")"
    );
    KEEP = "update images set state = 'kept' where host = $1 and engine = $2 and id = $3 and state = 'removing'";
    UNUSED = "update images set unused = $4 where host = $1 and engine = $2 and id = $3";
    FORGET = "delete from images where host = $1 and engine = $2 and id = $3";
    FORGET_REMOVED = "delete from images where host = $1 and engine = $2 and id = $3 and state = 'removing'";
}

impl Store {
    /// Records that an image is to be removed, so that no version of a template takes it from now on. `false` when a
    /// version in use has it, or somebody brought it again or removed it.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn begin_image_removal(&self, key: &ImageKey) -> Result<bool, StoreError> {
        let change = Change::Begin;
        self.change_image(key, change).await
    }

    /// Records that an image stays after all, because its engine did not remove it.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn end_image_removal(&self, key: &ImageKey) -> Result<(), StoreError> {
        self.change_image(key, Change::Keep).await.map(drop)
    }

    /// Records since when nothing uses an image; `None` when something does.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn set_image_unused(&self, key: &ImageKey, since: Option<Timestamp>) -> Result<(), StoreError> {
        self.change_image(key, Change::Unused(since)).await.map(drop)
    }

    /// Forgets an image that its engine does not have any more.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn forget_image(&self, key: &ImageKey) -> Result<(), StoreError> {
        self.change_image(key, Change::Forget).await.map(drop)
    }

    /// Forgets an image whose removal has succeeded, with its event. `reason` is why it was removed, `by` who asked.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn finish_image_removal(
        &self,
        key: &ImageKey,
        reason: String,
        by: Option<String>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let event = NewEvent {
            host: Some(key.host.clone()),
            detail: Some(reason),
            by,
            ..NewEvent::new(at, EventKind::ImageRemoved)
        };
        self.change_image(key, Change::Removed(event)).await.map(drop)
    }

    async fn change_image(&self, key: &ImageKey, change: Change) -> Result<bool, StoreError> {
        let key = key.clone();
        self.write(ChangeImage { key, change }).await
    }
}

enum Change {
    Begin,
    Keep,
    Unused(Option<Timestamp>),
    Forget,
    Removed(NewEvent),
}

struct ChangeImage {
    key: ImageKey,
    change: Change,
}

impl Write for ChangeImage {
    /// Whether there was such a row.
    type Output = bool;
    const DOING: &'static str = "change the record of an image";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<bool, StoreError> {
        let (host, engine, id) = (self.key.host.as_str(), &self.key.engine, &self.key.id);
        let tx = &mut batch.tx;
        let rows = match &self.change {
            Change::Begin => execute!(tx, "change the record of an image", BEGIN, host, engine, id)?,
            Change::Keep => execute!(tx, "change the record of an image", KEEP, host, engine, id)?,
            Change::Forget => execute!(tx, "change the record of an image", FORGET, host, engine, id)?,
            Change::Removed(event) => {
                let rows = execute!(tx, "change the record of an image", FORGET_REMOVED, host, engine, id)?;
                if rows > 0 {
                    batch.append_event(event.clone()).await?;
                }
                rows
            }
            Change::Unused(since) => {
                let since = since.map(|since| since.0);
                execute!(tx, "change the record of an image", UNUSED, host, engine, id, since)?
            }
        };
        Ok(rows > 0)
    }
}
