//! Templates as rows: all recorded versions, and which of them the settings and the API declare.

mod change;
mod settings;

use sqlx::FromRow;

use super::batch::Batch;
use super::connection::{Session, Tx, execute, fetch_all, fetch_optional, statements, within};
use super::images::NewPin;
use super::text::Columns;
use super::{Store, StoreError};
use orchestrator_model::{EventKind, NewEvent, Origin, RecordedTemplate, TemplateVersion, Timestamp};

/// The largest number of templates of the API.
pub const MOST_TEMPLATES: usize = 1024;

statements! {
    LIST = "select d.name, d.origin, d.version, t.spec, d.changed, d.changed_by
        from declared_templates d join templates t on t.name = d.name and t.version = d.version
        order by d.name, d.origin";
    VERSION = "select name, version, spec, made, made_by from templates where name = $1 and version = $2";
    VERSIONS = "select name, version, spec, made, made_by from templates where name = $1 order by version";
    INSERT = "insert into templates (name, version, spec, made, made_by) values ($1, $2, $3, $4, $5)";
    DECLARE = "insert into declared_templates (name, origin, version, changed, changed_by) values ($1, $2, $3, $4, $5)
        on conflict (name, origin) do update set version = excluded.version, changed = excluded.changed,
            changed_by = excluded.changed_by";
    WITHDRAW = "delete from declared_templates where name = $1 and origin = $2";
}

const COLUMNS: Columns = Columns("template");

#[derive(FromRow)]
struct DeclaredRow {
    name: String,
    origin: String,
    version: i64,
    spec: String,
    changed: i64,
    changed_by: Option<String>,
}

impl TryFrom<DeclaredRow> for RecordedTemplate {
    type Error = StoreError;

    fn try_from(row: DeclaredRow) -> Result<Self, StoreError> {
        Ok(Self {
            name: row.name,
            origin: COLUMNS.parse("origin", &row.origin)?,
            version: version(row.version)?,
            spec: row.spec,
            changed: Timestamp(row.changed),
            by: row.changed_by,
        })
    }
}

#[derive(FromRow)]
struct VersionRow {
    name: String,
    version: i64,
    spec: String,
    made: i64,
    made_by: Option<String>,
}

impl TryFrom<VersionRow> for TemplateVersion {
    type Error = StoreError;

    fn try_from(row: VersionRow) -> Result<Self, StoreError> {
        Ok(Self {
            name: row.name,
            version: version(row.version)?,
            spec: row.spec,
            made: Timestamp(row.made),
            by: row.made_by,
        })
    }
}

fn version(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| COLUMNS.bad("version", number))
}

pub(super) fn number(version: u64) -> Result<i64, StoreError> {
    i64::try_from(version).map_err(|_| COLUMNS.bad("version", version))
}

impl Store {
    /// All templates that the settings or the API declare, by name. With the same name, that of the API comes first.
    ///
    /// Those of the settings are as they were last recorded.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn templates(&self) -> Result<Vec<RecordedTemplate>, StoreError> {
        list(&mut self.glance().await?).await
    }

    /// A version of a template, if it is recorded.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn template_version(&self, name: &str, version: u64) -> Result<Option<TemplateVersion>, StoreError> {
        let Ok(version) = i64::try_from(version) else {
            return Ok(None);
        };
        let mut tx = self.snapshot().await?;
        let row = fetch_optional!(
            &mut tx,
            "read a version of a template",
            VersionRow,
            VERSION,
            name,
            version
        )?;
        row.map(TemplateVersion::try_from).transpose()
    }

    /// All recorded versions of a template, the oldest first.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn template_versions(&self, name: &str) -> Result<Vec<TemplateVersion>, StoreError> {
        versions(&mut self.glance().await?, name).await
    }
}

/// Like [`Store::templates`], on a connection that only reads.
pub(super) async fn list_in(session: &mut Session) -> Result<Vec<RecordedTemplate>, StoreError> {
    let doing = "read the templates";
    let rows: Vec<DeclaredRow> = match session {
        Session::Sqlite(session) => within(doing, sqlx::query_as(LIST).fetch_all(session)).await?,
        Session::Postgres(session) => within(doing, sqlx::query_as(LIST).fetch_all(session)).await?,
    };
    rows.into_iter().map(RecordedTemplate::try_from).collect()
}

pub(super) async fn list(tx: &mut Tx<'_>) -> Result<Vec<RecordedTemplate>, StoreError> {
    let rows = fetch_all!(tx, "read the templates", DeclaredRow, LIST)?;
    rows.into_iter().map(RecordedTemplate::try_from).collect()
}

async fn versions(tx: &mut Tx<'_>, name: &str) -> Result<Vec<TemplateVersion>, StoreError> {
    let rows = fetch_all!(tx, "read the versions of a template", VersionRow, VERSIONS, name)?;
    rows.into_iter().map(TemplateVersion::try_from).collect()
}

/// A new declaration of a template by the settings or the API.
struct Declaration<'d> {
    name: &'d str,
    origin: Origin,
    spec: &'d str,
    at: Timestamp,
    by: Option<&'d str>,
}

impl Declaration<'_> {
    /// Records it. Its version is that of the same content, or else the next one.
    async fn record(&self, batch: &mut Batch<'_>) -> Result<RecordedTemplate, StoreError> {
        let version = record_version(batch, self.name, self.spec, self.at, self.by).await?;
        let column = number(version)?;
        execute!(
            &mut batch.tx,
            "declare a template",
            DECLARE,
            self.name,
            self.origin.word(),
            column,
            self.at.0,
            self.by,
        )?;
        Ok(RecordedTemplate {
            name: self.name.to_owned(),
            origin: self.origin,
            version,
            spec: self.spec.to_owned(),
            changed: self.at,
            by: self.by.map(str::to_owned),
        })
    }
}

/// Records a content of a template unless it is recorded, and returns its version.
pub(super) async fn record_version(
    batch: &mut Batch<'_>,
    name: &str,
    spec: &str,
    at: Timestamp,
    by: Option<&str>,
) -> Result<u64, StoreError> {
    let known = versions(&mut batch.tx, name).await?;
    // The same content may have been pinned to several sets of images, one after the other: the last one counts.
    match known.iter().rfind(|known| known.spec == spec) {
        Some(same) => Ok(same.version),
        None => insert_next(batch, name, spec, at, by).await,
    }
}

/// Records the next version of a template, and returns its number.
pub(super) async fn insert_next(
    batch: &mut Batch<'_>,
    name: &str,
    spec: &str,
    at: Timestamp,
    by: Option<&str>,
) -> Result<u64, StoreError> {
    let known = versions(&mut batch.tx, name).await?;
    let next = known.last().map_or(1, |last| last.version + 1);
    let column = number(next)?;
    execute!(
        &mut batch.tx,
        "record a version of a template",
        INSERT,
        name,
        column,
        spec,
        at.0,
        by
    )?;
    Ok(next)
}

/// Records that a template is not declared there any more.
async fn withdraw(batch: &mut Batch<'_>, name: &str, origin: Origin) -> Result<(), StoreError> {
    execute!(&mut batch.tx, "withdraw a template", WITHDRAW, name, origin.word()).map(drop)
}

/// The event of a new version with the same content and other images.
pub(super) fn renewed(template: &RecordedTemplate, pins: &[NewPin], at: Timestamp, by: Option<&str>) -> NewEvent {
    let changed = event(EventKind::TemplateChanged, template, at, by);
    let images: Vec<String> = pins
        .iter()
        .map(|pin| format!("{} is {}", pin.image, pin.digest))
        .collect();
    NewEvent {
        detail: changed.detail.map(|detail| format!("{detail}: {}", images.join(", "))),
        ..changed
    }
}

/// The event of a template that was created, changed or removed.
fn event(kind: EventKind, template: &RecordedTemplate, at: Timestamp, by: Option<&str>) -> NewEvent {
    let place = match template.origin {
        Origin::Settings => "in the settings",
        Origin::Api => "through the API",
    };
    NewEvent {
        detail: Some(format!(
            "template {}, version {}, {place}",
            template.name, template.version
        )),
        by: by.map(str::to_owned),
        ..NewEvent::new(at, kind)
    }
}
