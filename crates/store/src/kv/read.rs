//! Reads keys, values and their changes.

use sqlx::FromRow;

use super::{COLUMNS, KvRow};
use crate::connection::{Tx, fetch_all, fetch_optional, statements};
use crate::{Store, StoreError};
use orchestrator_model::{EventKind, KvChange, KvEntry, KvNamespace, KvPath, Timestamp};

statements! {
    ONE = "select namespace, key, value, coding, size, version, created, changed,
            owner_instance, owner_link, owner_address
        from kv where namespace = $1 and key = $2";
    BELOW = "select namespace, key, case when $4 = 1 then value end as value, coding, size, version, created, changed,
            owner_instance, owner_link, owner_address
        from kv where namespace = $1
            and (key = $2 or substr(key, 1, length(cast($3 as text))) = $3 or $2 = '')";
    NAMESPACES = "select namespace, count(*), cast(sum(size) as bigint) from kv group by namespace";
    LAST = "select coalesce(min(id), 0), coalesce(max(id), 0) from events";
    CHANGES = "select id, at, kind, detail from events
        where id > $1 and kind in ('kv-set', 'kv-removed')
            and (detail = $2 or substr(detail, 1, length(cast($3 as text))) = $3)
        order by id limit $4";
}

/// The most events that a reader may be behind. A reader that is further behind reads the keys again.
const FURTHEST: i64 = 100_000;

/// Keys at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvListing {
    /// The number of the last event at that moment. What changes later has a higher one.
    pub index: i64,
    /// The keys, in their order.
    pub entries: Vec<KvEntry>,
}

/// The changes of some keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvChanges {
    /// The number up to which they were read: the last event's, or that of the last of the changes where there are more.
    pub index: i64,
    /// The changes, in their order.
    pub changes: Vec<KvChange>,
    /// Whether these are all. They are not if the timeline does not reach back so far any more.
    pub is_complete: bool,
}

#[derive(FromRow)]
struct ChangeRow {
    id: i64,
    at: i64,
    kind: String,
    detail: Option<String>,
}

impl TryFrom<ChangeRow> for KvChange {
    type Error = StoreError;

    fn try_from(row: ChangeRow) -> Result<Self, StoreError> {
        let kind: EventKind = COLUMNS.parse("kind", &row.kind)?;
        Ok(Self {
            version: row.id,
            path: COLUMNS.parse("detail", &row.detail.unwrap_or_default())?,
            removed: kind == EventKind::KvRemoved,
            at: Timestamp(row.at),
        })
    }
}

impl Store {
    /// The key at this path, with its value; none if there is none.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn kv(&self, path: &KvPath) -> Result<KvListing, StoreError> {
        let mut tx = self.snapshot().await?;
        let (_, index) = last(&mut tx).await?;
        let row = fetch_optional!(&mut tx, "read a key", KvRow, ONE, &path.namespace, &path.key)?;
        let entries = row.map(KvEntry::try_from).transpose()?.into_iter().collect();
        Ok(KvListing { index, entries })
    }

    /// The keys at and below this path, with or without their values.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn kv_below(&self, path: &KvPath, with_values: bool) -> Result<KvListing, StoreError> {
        let mut tx = self.snapshot().await?;
        let (_, index) = last(&mut tx).await?;
        let (prefix, with_values) = (format!("{}/", path.key), i64::from(with_values));
        let rows = fetch_all!(
            &mut tx,
            "list keys",
            KvRow,
            BELOW,
            &path.namespace,
            &path.key,
            prefix,
            with_values,
        )?;
        let entries = rows.into_iter().map(KvEntry::try_from);
        let mut entries = entries.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(KvListing { index, entries })
    }

    /// The namespaces that have keys, by name.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn kv_namespaces(&self) -> Result<Vec<KvNamespace>, StoreError> {
        type Row = (String, i64, i64);
        let rows = fetch_all!(&mut self.snapshot().await?, "list namespaces", Row, NAMESPACES)?;
        let read = |(name, keys, bytes): Row| {
            Ok(KvNamespace {
                name,
                keys: COLUMNS.count("count", keys)?,
                bytes: COLUMNS.count("size", bytes)?,
            })
        };
        let mut namespaces = rows.into_iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
        namespaces.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(namespaces)
    }

    /// The first changes of the keys at and below this path after the event of this number.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn kv_changes(&self, path: &KvPath, after: i64, limit: u32) -> Result<KvChanges, StoreError> {
        let mut tx = self.snapshot().await?;
        let (first, last) = last(&mut tx).await?;
        // A number that is yet to come is of another database: it was restored to an earlier time.
        let is_known = after <= last && after.saturating_add(1) >= first && last - after <= FURTHEST;
        if !is_known {
            return Ok(KvChanges {
                index: last,
                changes: Vec::new(),
                is_complete: false,
            });
        }
        let (whole, prefix) = (path.to_string(), format!("{path}/"));
        let limit = limit.max(1);
        let rows = fetch_all!(
            &mut tx,
            "read changes of keys",
            ChangeRow,
            CHANGES,
            after,
            whole,
            prefix,
            i64::from(limit),
        )?;
        let changes = rows.into_iter().map(KvChange::try_from);
        let changes = changes.collect::<Result<Vec<_>, _>>()?;
        let index = match changes.last() {
            Some(change) if changes.len() >= limit as usize => change.version,
            _ => last,
        };
        Ok(KvChanges {
            index,
            changes,
            is_complete: true,
        })
    }
}

/// The numbers of the first event and of the last.
async fn last(tx: &mut Tx<'_>) -> Result<(i64, i64), StoreError> {
    let found = fetch_optional!(tx, "find the last event", (i64, i64), LAST)?;
    Ok(found.unwrap_or_default())
}
