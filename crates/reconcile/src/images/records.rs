//! The part of the store that has to do with images.

use async_trait::async_trait;
use orchestrator_model::{BroughtImage, ImageKey, ImagePin, Timestamp};
use orchestrator_store::{ImageUses, NewPin, Pinning, Store, StoreError};

/// The reads and writes of pins. Every method does the same as the method of [`Store`] with the same name.
#[async_trait]
pub trait PinRecords: Send + Sync + 'static {
    /// The pins of a version of a template, on all engines.
    async fn image_pins(&self, template: &str, version: u64) -> Result<Vec<ImagePin>, StoreError>;

    /// Pins a name in a version of a template to an image, unless it is pinned already.
    async fn pin_image(&self, template: &str, version: u64, pin: NewPin, at: Timestamp) -> Result<Pinning, StoreError>;
}

/// The reads and writes of the removal of images. Every method does the same as the method of [`Store`] with the same
/// name.
#[async_trait]
pub trait ImageRecords: Send + Sync + 'static {
    /// Everything that uses an image.
    async fn image_uses(&self) -> Result<ImageUses, StoreError>;

    /// Every image that was brought and that is not known to be gone.
    async fn brought_images(&self) -> Result<Vec<BroughtImage>, StoreError>;

    /// Records that an image is to be removed; `false` when it is used by now.
    async fn begin_image_removal(&self, key: &ImageKey) -> Result<bool, StoreError>;

    /// Records that an image stays after all.
    async fn end_image_removal(&self, key: &ImageKey) -> Result<(), StoreError>;

    /// Records since when nothing uses an image; `None` when something does.
    async fn set_image_unused(&self, key: &ImageKey, since: Option<Timestamp>) -> Result<(), StoreError>;

    /// Forgets an image that its engine does not have any more.
    async fn forget_image(&self, key: &ImageKey) -> Result<(), StoreError>;

    /// Forgets an image whose removal has succeeded, with its event.
    async fn finish_image_removal(
        &self,
        key: &ImageKey,
        reason: String,
        by: Option<String>,
        at: Timestamp,
    ) -> Result<(), StoreError>;
}

#[async_trait]
impl PinRecords for Store {
    async fn image_pins(&self, template: &str, version: u64) -> Result<Vec<ImagePin>, StoreError> {
        Store::image_pins(self, template, version).await
    }

    async fn pin_image(&self, template: &str, version: u64, pin: NewPin, at: Timestamp) -> Result<Pinning, StoreError> {
        Store::pin_image(self, template, version, pin, at).await
    }
}

#[async_trait]
impl ImageRecords for Store {
    async fn image_uses(&self) -> Result<ImageUses, StoreError> {
        Store::image_uses(self).await
    }

    async fn brought_images(&self) -> Result<Vec<BroughtImage>, StoreError> {
        Store::brought_images(self).await
    }

    async fn begin_image_removal(&self, key: &ImageKey) -> Result<bool, StoreError> {
        Store::begin_image_removal(self, key).await
    }

    async fn end_image_removal(&self, key: &ImageKey) -> Result<(), StoreError> {
        Store::end_image_removal(self, key).await
    }

    async fn set_image_unused(&self, key: &ImageKey, since: Option<Timestamp>) -> Result<(), StoreError> {
        Store::set_image_unused(self, key, since).await
    }

    async fn forget_image(&self, key: &ImageKey) -> Result<(), StoreError> {
        Store::forget_image(self, key).await
    }

    async fn finish_image_removal(
        &self,
        key: &ImageKey,
        reason: String,
        by: Option<String>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        Store::finish_image_removal(self, key, reason, by, at).await
    }
}
