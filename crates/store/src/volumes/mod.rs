//! Volumes as rows.

mod claim;
mod idle;
mod remove;

use std::time::Duration;

use sqlx::FromRow;

use super::connection::{Tx, fetch_all, fetch_optional, statements};
use super::text::Columns;
use super::{Store, StoreError};
use orchestrator_model::{HostId, Keep, Owner, OwnerKind, RecordedVolume, Slot, Timestamp, VolumeId};

pub use claim::NewVolume;
pub(super) use claim::{claim, let_go, refuse};
pub use idle::IdleVolume;

macro_rules! select {
    ($rest:expr) => {
        concat!(
            "select v.id, v.owner_kind, v.owner, v.slot, v.name, v.host, v.size, v.keep, v.keep_for, v.state, v.created,
                v.used, v.holder from volumes v ",
            $rest
        )
    };
}
use select;

statements! {
    LIST = select!("order by v.created, v.id");
    FIND = select!("where v.id = $1");
    OF_OWNER = select!("where v.owner_kind = $1 and v.owner = $2 and v.state = 'kept' order by v.created, v.id");
}

/// The statements of every file of this noun.
pub(super) const ALL: &[&[&str]] = &[STATEMENTS, claim::STATEMENTS, idle::STATEMENTS, remove::STATEMENTS];

const COLUMNS: Columns = Columns("volume");

#[derive(FromRow)]
pub(super) struct VolumeRow {
    id: String,
    owner_kind: String,
    owner: String,
    slot: String,
    name: String,
    host: String,
    size: Option<i64>,
    keep: String,
    keep_for: Option<i64>,
    state: String,
    created: i64,
    used: i64,
    holder: Option<String>,
}

impl TryFrom<VolumeRow> for RecordedVolume {
    type Error = StoreError;

    fn try_from(row: VolumeRow) -> Result<Self, StoreError> {
        let kind: OwnerKind = COLUMNS.parse("owner_kind", &row.owner_kind)?;
        Ok(Self {
            id: COLUMNS.parse("id", &row.id)?,
            owner: Owner::new(kind, &row.owner).map_err(|_| COLUMNS.bad("owner", &row.owner))?,
            slot: Some(row.slot).filter(|slot| !slot.is_empty()).map(Slot::new),
            name: row.name,
            host: HostId::new(row.host),
            size: row.size.map(|size| COLUMNS.count("size", size)).transpose()?,
            keep: keep_of(&row.keep, row.keep_for)?,
            state: COLUMNS.parse("state", &row.state)?,
            created: Timestamp(row.created),
            used: Timestamp(row.used),
            holder: COLUMNS.parse_some("holder", row.holder.as_deref())?,
        })
    }
}

/// A rule as it is in a row: its word, and its time in milliseconds.
fn keep_columns(keep: Keep) -> (&'static str, Option<i64>) {
    let milliseconds = |span: Duration| Some(i64::try_from(span.as_millis()).unwrap_or(i64::MAX));
    match keep {
        Keep::Forever => ("forever", None),
        Keep::AfterLease(span) => ("after-lease", milliseconds(span)),
        Keep::Unused(span) => ("unused", milliseconds(span)),
    }
}

fn keep_of(word: &str, span: Option<i64>) -> Result<Keep, StoreError> {
    let span = || {
        let milliseconds = span.and_then(|span| u64::try_from(span).ok());
        let milliseconds = milliseconds.ok_or_else(|| COLUMNS.bad("keep_for", format!("{span:?}")))?;
        Ok(Duration::from_millis(milliseconds))
    };
    match word {
        "forever" => Ok(Keep::Forever),
        "after-lease" => span().map(Keep::AfterLease),
        "unused" => span().map(Keep::Unused),
        other => Err(COLUMNS.bad("keep", other)),
    }
}

impl Store {
    /// Every volume, in the order in which they were made.
    ///
    /// # Errors
    ///
    /// When the database is away or holds what cannot be read.
    pub async fn volumes(&self) -> Result<Vec<RecordedVolume>, StoreError> {
        let rows = fetch_all!(&mut self.glance().await?, "read the volumes", VolumeRow, LIST)?;
        rows.into_iter().map(RecordedVolume::try_from).collect()
    }

    /// One volume, also one that is being removed.
    ///
    /// # Errors
    ///
    /// When the database is away or holds what cannot be read.
    pub async fn volume(&self, id: VolumeId) -> Result<Option<RecordedVolume>, StoreError> {
        find(&mut self.glance().await?, id).await
    }

    /// The volumes that are kept for an owner, in the order in which they were made.
    ///
    /// # Errors
    ///
    /// When the database is away or holds what cannot be read.
    pub async fn volumes_of(&self, owner: &Owner) -> Result<Vec<RecordedVolume>, StoreError> {
        of_owner(&mut self.glance().await?, owner).await
    }
}

async fn of_owner(tx: &mut Tx<'_>, owner: &Owner) -> Result<Vec<RecordedVolume>, StoreError> {
    let (kind, name) = (owner.kind().word(), owner.name());
    let rows = fetch_all!(tx, "read the volumes of an owner", VolumeRow, OF_OWNER, kind, name)?;
    rows.into_iter().map(RecordedVolume::try_from).collect()
}

async fn find(tx: &mut Tx<'_>, id: VolumeId) -> Result<Option<RecordedVolume>, StoreError> {
    let row = fetch_optional!(tx, "look up a volume", VolumeRow, FIND, id.to_string())?;
    row.map(RecordedVolume::try_from).transpose()
}
