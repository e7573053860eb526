//! Keys and values as rows, and their changes as events.
//!
//! The version of a key is the number of the event by which it got its value. So versions rise with every change of any
//! key, also when a key is removed and made again, and a reader that knows a number can ask what changed after it.

mod change;
mod coding;
mod ended;
mod read;

pub use change::{KvRemoval, KvWrite};
pub use read::{KvChanges, KvListing};

use sqlx::FromRow;

use super::StoreError;
use super::text::Columns;
use orchestrator_model::{KvEntry, KvOwner, KvPath, Timestamp};

/// The statements of this room.
pub(super) const ALL: [&[&str]; 3] = [change::STATEMENTS, ended::STATEMENTS, read::STATEMENTS];

/// The largest value, in bytes.
pub const LARGEST_VALUE: usize = 64 * 1024;
/// The largest number of keys in a namespace.
pub const MOST_KEYS_OF_NAMESPACE: u64 = 4096;
/// The most that the values of a namespace hold together, in bytes.
pub const MOST_BYTES_OF_NAMESPACE: u64 = 4 << 20;
/// The largest number of namespaces.
pub const MOST_NAMESPACES: u64 = 16_384;

const COLUMNS: Columns = Columns("key");

/// A row. The value is null where it was not asked for.
#[derive(FromRow)]
struct KvRow {
    namespace: String,
    key: String,
    value: Option<String>,
    coding: String,
    size: i64,
    version: i64,
    created: i64,
    changed: i64,
    owner_instance: Option<String>,
    owner_link: Option<String>,
    owner_address: Option<String>,
}

impl TryFrom<KvRow> for KvEntry {
    type Error = StoreError;

    fn try_from(row: KvRow) -> Result<Self, StoreError> {
        let value = row.value.map(|value| coding::decode(&row.coding, value)).transpose()?;
        Ok(Self {
            value,
            size: COLUMNS.count("size", row.size)?,
            version: row.version,
            created: Timestamp(row.created),
            changed: Timestamp(row.changed),
            owner: owner(
                row.owner_instance.as_deref(),
                row.owner_link,
                row.owner_address.as_deref(),
            )?,
            path: KvPath {
                namespace: row.namespace,
                key: row.key,
            },
        })
    }
}

fn owner(instance: Option<&str>, link: Option<String>, address: Option<&str>) -> Result<Option<KvOwner>, StoreError> {
    if let Some(id) = COLUMNS.parse_some("owner_instance", instance)? {
        return Ok(Some(KvOwner::Instance(id)));
    }
    let address = COLUMNS.parse_some("owner_address", address)?;
    Ok(link
        .zip(address)
        .map(|(link, address)| KvOwner::Lease { link, address }))
}
