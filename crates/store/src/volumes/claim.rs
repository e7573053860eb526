//! An instance takes volumes when it is recorded, and lets them go when it is removed.

use super::{COLUMNS, find, keep_columns};
use crate::StoreError;
use crate::batch::Batch;
use crate::connection::{execute, statements};
use orchestrator_model::{EventKind, HostId, InstanceId, Keep, NewEvent, Owner, Slot, Timestamp, VolumeId};

statements! {
    INSERT = "insert into volumes (id, owner_kind, owner, slot, name, host, size, keep, keep_for, state, created, used,
            holder)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'kept', $10, $10, $11)";
    // The row of another holder, of another owner or on its way out is not touched.
    TAKE = "update volumes set holder = $2, used = $3, size = $4, keep = $5, keep_for = $6
        where id = $1 and holder is null and state = 'kept' and owner_kind = $7 and owner = $8";
    LET_GO = "update volumes set holder = null, used = $2 where holder = $1";
}

/// A volume that an instance is to hold: one that is recorded, or a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVolume {
    /// Its id; a new one for a volume that is not recorded yet.
    pub id: VolumeId,
    /// The slot whose instances may hold it; `None` for those of any slot of the owner.
    pub slot: Option<Slot>,
    /// Its name in the template.
    pub name: String,
    /// The host that has it.
    pub host: HostId,
    /// The most that it may hold, in bytes; `None` is no limit.
    pub size: Option<u64>,
    /// When it is removed.
    pub keep: Keep,
}

/// Refuses volumes that an instance cannot hold. Writes nothing: a write that is refused must not have begun.
///
/// # Errors
///
/// [`StoreError::VolumeTaken`] when another instance holds one of them, it is another owner's or not kept any more, or its
/// owner has another volume of its name.
pub(crate) async fn refuse(batch: &mut Batch<'_>, owner: &Owner, volumes: &[NewVolume]) -> Result<(), StoreError> {
    if volumes.is_empty() {
        return Ok(());
    }
    let kept = super::of_owner(&mut batch.tx, owner).await?;
    for volume in volumes {
        let is_free = match find(&mut batch.tx, volume.id).await? {
            Some(found) => found.holder.is_none() && kept.contains(&found),
            None => !kept
                .iter()
                .any(|kept| kept.name == volume.name && kept.slot == volume.slot),
        };
        if !is_free {
            return Err(StoreError::VolumeTaken(volume.id));
        }
    }
    Ok(())
}

/// Has an instance hold volumes that [`refuse`] let pass, with an event for each that is new.
pub(crate) async fn claim(
    batch: &mut Batch<'_>,
    owner: &Owner,
    instance: InstanceId,
    volumes: &[NewVolume],
    event: &NewEvent,
    at: Timestamp,
) -> Result<(), StoreError> {
    for volume in volumes {
        match find(&mut batch.tx, volume.id).await? {
            Some(_) => take(batch, owner, instance, volume, at).await?,
            None => {
                insert(batch, owner, instance, volume, at).await?;
                let created = NewEvent {
                    detail: Some(format!("volume {} ({})", volume.id, volume.name)),
                    kind: EventKind::VolumeCreated,
                    leased: None,
                    ..event.clone()
                };
                batch.append_event(created).await?;
            }
        }
    }
    Ok(())
}

async fn take(
    batch: &mut Batch<'_>,
    owner: &Owner,
    instance: InstanceId,
    volume: &NewVolume,
    at: Timestamp,
) -> Result<(), StoreError> {
    let (keep, keep_for) = keep_columns(volume.keep);
    let size = size(volume)?;
    let taken = execute!(
        &mut batch.tx,
        "take a volume",
        TAKE,
        volume.id.to_string(),
        instance.to_string(),
        at.0,
        size,
        keep,
        keep_for,
        owner.kind().word(),
        owner.name(),
    )?;
    match taken {
        0 => Err(StoreError::VolumeTaken(volume.id)),
        _ => Ok(()),
    }
}

async fn insert(
    batch: &mut Batch<'_>,
    owner: &Owner,
    instance: InstanceId,
    volume: &NewVolume,
    at: Timestamp,
) -> Result<(), StoreError> {
    let (keep, keep_for) = keep_columns(volume.keep);
    let size = size(volume)?;
    execute!(
        &mut batch.tx,
        "record a volume",
        INSERT,
        volume.id.to_string(),
        owner.kind().word(),
        owner.name(),
        volume.slot.as_ref().map_or("", Slot::as_str),
        volume.name.as_str(),
        volume.host.as_str(),
        size,
        keep,
        keep_for,
        at.0,
        instance.to_string(),
    )
    .map(drop)
}

fn size(volume: &NewVolume) -> Result<Option<i64>, StoreError> {
    let column = |size| i64::try_from(size).map_err(|_| COLUMNS.bad("size", size));
    volume.size.map(column).transpose()
}

/// An instance is gone, and holds nothing any more.
pub(crate) async fn let_go(batch: &mut Batch<'_>, instance: InstanceId, at: Timestamp) -> Result<(), StoreError> {
    let id = instance.to_string();
    execute!(&mut batch.tx, "let go of the volumes of an instance", LET_GO, id, at.0).map(drop)
}
