//! The record of images in memory. Every version of a template is recorded.

use async_trait::async_trait;
use orchestrator_model::{
    BroughtImage, EventKind, ImageKey, ImagePin, ImageSource, ImageState, NewEvent, Phase, Timestamp,
};
use orchestrator_reconcile::images::{ImageRecords, PinRecords};
use orchestrator_store::{ImageUses, NamedImage, NewPin, Pinning, StoreError};

use super::{Memory, State};
use crate::clock::now;

impl Memory {
    /// Somebody has loaded this image.
    pub(crate) fn bring(&self, key: ImageKey, name: &str) {
        let image = BroughtImage {
            key: key.clone(),
            name: name.to_owned(),
            source: ImageSource::Loaded,
            brought: now(),
            by: None,
            unused: None,
            state: ImageState::Kept,
        };
        self.state().images.insert(key, image);
    }
}

fn live_versions(state: &State) -> Vec<(String, u64)> {
    let live = state.instances.values();
    let live = live.filter(|instance| instance.phase != Phase::Removed);
    live.map(|instance| (instance.template.clone(), instance.version))
        .collect()
}

fn pins_in_use(state: &State) -> Vec<ImagePin> {
    let live = live_versions(state);
    let pins = state.pins.iter();
    pins.filter(|pin| live.contains(&(pin.template.clone(), pin.version)))
        .cloned()
        .collect()
}

#[async_trait]
impl PinRecords for Memory {
    async fn image_pins(&self, template: &str, version: u64) -> Result<Vec<ImagePin>, StoreError> {
        self.read("read the images of a template", |state| {
            let pins = state.pins.iter();
            pins.filter(|pin| (pin.template.as_str(), pin.version) == (template, version))
                .cloned()
                .collect()
        })
        .await
    }

    async fn pin_image(&self, template: &str, version: u64, pin: NewPin, at: Timestamp) -> Result<Pinning, StoreError> {
        let new = ImagePin {
            template: template.to_owned(),
            version,
            host: pin.host,
            engine: pin.engine,
            image: pin.image,
            digest: pin.digest,
            pinned: at,
        };
        self.write("pin an image", |state| {
            let same = |old: &&ImagePin| {
                (&old.template, old.version, &old.host, &old.engine, &old.image)
                    == (&new.template, new.version, &new.host, &new.engine, &new.image)
            };
            if let Some(old) = state.pins.iter().find(same) {
                return Ok(Pinning::Pinned(old.clone()));
            }
            let brought = state.images.get(&new.key());
            if brought.is_some_and(|brought| brought.state == ImageState::Removing) {
                return Ok(Pinning::Going);
            }
            state.pins.push(new.clone());
            Ok(Pinning::Pinned(new))
        })
        .await
    }
}

#[async_trait]
impl ImageRecords for Memory {
    async fn image_uses(&self) -> Result<ImageUses, StoreError> {
        self.read("read the images in use", |state| {
            let live = state.instances.values();
            let live = live.filter(|instance| instance.phase != Phase::Removed);
            let containers = live.flat_map(|instance| {
                let host = instance.host.clone();
                let named = instance.containers.iter();
                named.filter_map(move |container| {
                    Some(NamedImage {
                        host: host.clone()?,
                        engine: container.engine.clone(),
                        image: container.image.clone(),
                    })
                })
            });
            ImageUses {
                containers: containers.collect(),
                pins: pins_in_use(state),
            }
        })
        .await
    }

    async fn brought_images(&self) -> Result<Vec<BroughtImage>, StoreError> {
        self.read("list images", |state| state.images.values().cloned().collect())
            .await
    }

    async fn begin_image_removal(&self, key: &ImageKey) -> Result<bool, StoreError> {
        self.write("begin the removal of an image", |state| {
            let is_pinned = pins_in_use(state).iter().any(|pin| pin.key() == *key);
            let image = state.images.get_mut(key);
            let image = image.filter(|image| image.state == ImageState::Kept && !is_pinned);
            Ok(image.map(|image| image.state = ImageState::Removing).is_some())
        })
        .await
    }

    async fn end_image_removal(&self, key: &ImageKey) -> Result<(), StoreError> {
        self.write("end the removal of an image", |state| {
            if let Some(image) = state.images.get_mut(key) {
                image.state = ImageState::Kept;
            }
            Ok(())
        })
        .await
    }

    async fn set_image_unused(&self, key: &ImageKey, since: Option<Timestamp>) -> Result<(), StoreError> {
        self.write("record the use of an image", |state| {
            if let Some(image) = state.images.get_mut(key) {
                image.unused = since;
            }
            Ok(())
        })
        .await
    }

    async fn forget_image(&self, key: &ImageKey) -> Result<(), StoreError> {
        self.write("forget an image", |state| {
            state.images.remove(key);
            Ok(())
        })
        .await
    }

    async fn finish_image_removal(
        &self,
        key: &ImageKey,
        reason: String,
        by: Option<String>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write("finish the removal of an image", |state| {
            if state.images.remove(key).is_some() {
                state.events.push(NewEvent {
                    detail: Some(reason),
                    by,
                    ..NewEvent::new(at, EventKind::ImageRemoved)
                });
            }
            Ok(())
        })
        .await
    }
}
