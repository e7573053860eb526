//! The record of volumes.

use super::*;

#[async_trait]
impl VolumeRecords for Memory {
    async fn volumes(&self) -> Result<Vec<RecordedVolume>, StoreError> {
        self.read("read the volumes", |state| state.volumes.values().cloned().collect())
            .await
    }

    async fn idle_volumes(&self) -> Result<Vec<IdleVolume>, StoreError> {
        let idle = self.read("find the volumes that nobody holds", |state| {
            let idle = state.volumes.values().filter(|volume| volume.holder.is_none());
            let of_a_rule = idle.filter(|volume| volume.state == VolumeState::Removing || volume.keep != Keep::Forever);
            of_a_rule
                .map(|volume| IdleVolume {
                    lease: state.lease_of(&volume.owner),
                    volume: volume.clone(),
                })
                .collect()
        });
        idle.await
    }

    async fn expire_volume(&self, volume: &RecordedVolume, at: Timestamp) -> Result<bool, StoreError> {
        let expired = self.write("record that the time of a volume is over", |state| {
            let lease = state.lease_of(&volume.owner);
            let Some(found) = state.volumes.get_mut(&volume.id) else {
                return Ok(false);
            };
            let waits = matches!(found.keep, Keep::AfterLease(_)) && lease == OwnerLease::Held;
            let is_same = found.holder.is_none() && found.state == VolumeState::Kept && found.used == volume.used;
            if !is_same || waits {
                return Ok(false);
            }
            found.state = VolumeState::Removing;
            state.events.push(NewEvent::new(at, EventKind::VolumeExpired));
            Ok(true)
        });
        expired.await
    }

    async fn forget_volume(&self, volume: &RecordedVolume, at: Timestamp) -> Result<(), StoreError> {
        let forgotten = self.write("forget a volume", |state| {
            let is_leaving = state
                .volumes
                .get(&volume.id)
                .is_some_and(|found| found.state == VolumeState::Removing);
            if is_leaving {
                state.volumes.remove(&volume.id);
                state.events.push(NewEvent::new(at, EventKind::VolumeRemoved));
            }
            Ok(())
        });
        forgotten.await
    }
}
