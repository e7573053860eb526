//! Volumes that no instance holds.

use sqlx::FromRow;

use super::{VolumeRow, select};
use crate::connection::{fetch_all, statements};
use crate::{Store, StoreError};
use orchestrator_model::{OwnerLease, RecordedVolume, Timestamp};

statements! {
    IDLE = concat!(
        "select v.*,
            (select count(*) from leases l where l.client = v.owner and l.state = 'active') as held,
            (select max(l.changed) from leases l where l.client = v.owner and l.state <> 'active') as ended
        from (",
        select!("where v.holder is null and (v.state = 'removing' or v.keep <> 'forever')"),
        ") v order by v.created, v.id"
    );
}

/// A volume that no instance holds and that a rule or a person may have removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdleVolume {
    /// The volume.
    pub volume: RecordedVolume,
    /// The state of its owner's leases.
    pub lease: OwnerLease,
}

#[derive(FromRow)]
struct IdleRow {
    #[sqlx(flatten)]
    volume: VolumeRow,
    held: i64,
    ended: Option<i64>,
}

impl Store {
    /// Every volume that no instance holds, but for those that are kept for ever: those that are being removed, and
    /// those that a rule may have removed.
    ///
    /// # Errors
    ///
    /// When the database is away or holds what cannot be read.
    pub async fn idle_volumes(&self) -> Result<Vec<IdleVolume>, StoreError> {
        let mut tx = self.snapshot().await?;
        let rows = fetch_all!(&mut tx, "find the volumes that nobody holds", IdleRow, IDLE)?;
        let read = |row: IdleRow| {
            let lease = match (row.held, row.ended) {
                (1.., _) => OwnerLease::Held,
                (_, Some(at)) => OwnerLease::Ended(Timestamp(at)),
                (_, None) => OwnerLease::Unknown,
            };
            let volume = row.volume.try_into()?;
            Ok(IdleVolume { volume, lease })
        };
        rows.into_iter().map(read).collect()
    }
}
