//! The part of the store that the reconciler of volumes needs.

use async_trait::async_trait;
use orchestrator_model::{RecordedVolume, Timestamp};
use orchestrator_store::{IdleVolume, Store, StoreError};

/// The reads and writes of the reconciler of volumes. Every method does the same as the method of [`Store`] with the same
/// name.
#[async_trait]
pub trait VolumeRecords: Send + Sync + 'static {
    /// Every volume, in the order in which they were made.
    async fn volumes(&self) -> Result<Vec<RecordedVolume>, StoreError>;

    /// Every volume that no instance holds, but for those that are kept for ever.
    async fn idle_volumes(&self) -> Result<Vec<IdleVolume>, StoreError>;

    /// Records that a volume is to be removed because its time is over; `false` when it is used again by now.
    async fn expire_volume(&self, volume: &RecordedVolume, at: Timestamp) -> Result<bool, StoreError>;

    /// Forgets a volume whose directory is gone.
    async fn forget_volume(&self, volume: &RecordedVolume, at: Timestamp) -> Result<(), StoreError>;
}

#[async_trait]
impl VolumeRecords for Store {
    async fn volumes(&self) -> Result<Vec<RecordedVolume>, StoreError> {
        Store::volumes(self).await
    }

    async fn idle_volumes(&self) -> Result<Vec<IdleVolume>, StoreError> {
        Store::idle_volumes(self).await
    }

    async fn expire_volume(&self, volume: &RecordedVolume, at: Timestamp) -> Result<bool, StoreError> {
        Store::expire_volume(self, volume, at).await
    }

    async fn forget_volume(&self, volume: &RecordedVolume, at: Timestamp) -> Result<(), StoreError> {
        Store::forget_volume(self, volume, at).await
    }
}
