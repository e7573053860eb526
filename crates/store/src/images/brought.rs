//! Images that were loaded or fetched through the daemon.

use sqlx::FromRow;

use crate::batch::Batch;
use crate::connection::{execute, fetch_all, statements};
use crate::text::Columns;
use crate::writer::Write;
use crate::{Store, StoreError};
use orchestrator_model::{BroughtImage, EventKind, HostId, ImageKey, ImageSource, NewEvent, Timestamp};

statements! {
    LIST = "select host, engine, id, name, source, brought, brought_by, unused, state from images
        order by host, engine, id";
    BRING = "insert into images (host, engine, id, name, source, brought, brought_by, unused, state)
        values ($1, $2, $3, $4, $5, $6, $7, null, 'kept')
        on conflict (host, engine, id) do update set name = excluded.name, source = excluded.source,
            brought = excluded.brought, brought_by = excluded.brought_by, unused = null, state = 'kept'";
}

const COLUMNS: Columns = Columns("image");

#[derive(FromRow)]
struct ImageRow {
    host: String,
    engine: String,
    id: String,
    name: String,
    source: String,
    brought: i64,
    brought_by: Option<String>,
    unused: Option<i64>,
    state: String,
}

impl TryFrom<ImageRow> for BroughtImage {
    type Error = StoreError;

    fn try_from(row: ImageRow) -> Result<Self, StoreError> {
        Ok(Self {
            key: ImageKey {
                host: HostId::new(row.host),
                engine: row.engine,
                id: row.id,
            },
            name: row.name,
            source: COLUMNS.parse("source", &row.source)?,
            brought: Timestamp(row.brought),
            by: row.brought_by,
            unused: row.unused.map(Timestamp),
            state: COLUMNS.parse("state", &row.state)?,
        })
    }
}

impl Store {
    /// Every image that was brought and that is not known to be gone.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn brought_images(&self) -> Result<Vec<BroughtImage>, StoreError> {
        let rows = fetch_all!(&mut self.glance().await?, "list images", ImageRow, LIST)?;
        rows.into_iter().map(BroughtImage::try_from).collect()
    }

    /// Records that an image was brought, with its event. One that was brought before counts as new.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn bring_image(
        &self,
        key: ImageKey,
        name: Option<String>,
        source: ImageSource,
        by: Option<String>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(BringImage {
            key,
            name,
            source,
            by,
            at,
        })
        .await
    }
}

struct BringImage {
    key: ImageKey,
    name: Option<String>,
    source: ImageSource,
    by: Option<String>,
    at: Timestamp,
}

impl Write for BringImage {
    type Output = ();
    const DOING: &'static str = "record an image";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let ImageKey { host, engine, id } = &self.key;
        execute!(
            &mut batch.tx,
            "record an image",
            BRING,
            host.as_str(),
            engine,
            id,
            self.name.as_ref().unwrap_or(id),
            self.source.word(),
            self.at.0,
            self.by.as_deref()
        )?;
        let kind = match self.source {
            ImageSource::Loaded => EventKind::ImageLoaded,
            ImageSource::Pulled => EventKind::ImagePulled,
        };
        let shown = match &self.name {
            Some(name) => format!("{name} ({id})"),
            None => id.clone(),
        };
        let event = NewEvent {
            host: Some(host.clone()),
            by: self.by.clone(),
            detail: Some(format!("{shown} on engine {engine}")),
            ..NewEvent::new(self.at, kind)
        };
        batch.append_event(event).await.map(drop)
    }
}
