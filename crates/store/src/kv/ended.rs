//! Removes the keys of what has ended.

use super::change::remove;
use super::{KvRow, StoreError};
use crate::Store;
use crate::batch::Batch;
use crate::connection::{fetch_all, statements};
use crate::writer::Write;
use orchestrator_model::{KvEntry, Timestamp};

statements! {
    ENDED = "select namespace, key, null as value, coding, size, version, created, changed,
            owner_instance, owner_link, owner_address
        from kv where (owner_instance is not null and not exists (
                select 1 from instances i where i.id = kv.owner_instance and i.phase not in ('removing', 'removed')))
            or (owner_link is not null and not exists (
                select 1 from leases l where l.link = kv.owner_link and l.address = kv.owner_address
                    and l.state = 'active'))
            or (substr(namespace, 1, 7) = 'client:' and not exists (
                select 1 from clients c where 'client:' || c.id = kv.namespace))
        limit $1";
}

/// The most keys that one commit removes, so that no client waits for it.
const CHUNK: usize = 256;

impl Store {
    /// Removes keys that are bound to an instance or a lease that has ended, and those of clients that are forgotten.
    /// Returns how many it removed. There may be more if it removed any.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn remove_ended_kv(&self, at: Timestamp) -> Result<usize, StoreError> {
        // Mostly there are none: nobody waits for the writer then.
        if ended_in(&mut self.snapshot().await?).await?.is_empty() {
            return Ok(0);
        }
        self.write(RemoveEnded { at }).await
    }
}

async fn ended_in(tx: &mut crate::connection::Tx<'_>) -> Result<Vec<KvEntry>, StoreError> {
    let rows = fetch_all!(tx, "find keys of what has ended", KvRow, ENDED, CHUNK as i64)?;
    rows.into_iter().map(KvEntry::try_from).collect()
}

struct RemoveEnded {
    at: Timestamp,
}

impl Write for RemoveEnded {
    type Output = usize;
    const DOING: &'static str = "remove keys of what has ended";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<usize, StoreError> {
        let ended = ended_in(&mut batch.tx).await?;
        remove(batch, &ended, self.at, None).await?;
        Ok(ended.len())
    }
}
