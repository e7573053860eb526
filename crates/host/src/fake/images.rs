//! Images of a fake machine.

use orchestrator_plugin::{EngineError, Image, ImageFacts};

use super::{FakeMachine, FakeState};
use crate::{Cause, HostError};

impl FakeMachine {
    /// Every name means an image, so that tests that care for none need not make any. One that is listed without an id is
    /// missing.
    pub(super) async fn image(&self, engine: &str, image: &str) -> Result<ImageFacts, Cause> {
        let id = |state: &FakeState| state.image_id(engine, image);
        let id = self.ask("find an image", Some(engine), id).await?;
        match id {
            Some(id) => Ok(ImageFacts {
                id,
                has_health_check: false,
            }),
            None => Err(EngineError::ImageMissing {
                image: image.to_owned(),
            }
            .into()),
        }
    }

    pub(super) async fn all_images(&self, engine: &str) -> Result<Vec<Image>, Cause> {
        self.ask("list images", Some(engine), |state| state.images_of(engine))
            .await
    }

    pub(super) async fn forget_image(&self, engine: &str, image: &str) -> Result<(), Cause> {
        let used = |state: &FakeState| {
            let id = state.image_id(engine, image);
            let mut containers = state.containers.values();
            containers.any(|one| one.engine == engine && state.image_id(engine, &one.spec.image) == id)
        };
        if self.ask("remove an image", Some(engine), used).await? {
            return Err(EngineError::Refused {
                verb: "remove image",
                subject: image.to_owned(),
                reason: "a container uses it".to_owned(),
            }
            .into());
        }
        let effect = |state: &mut FakeState| {
            state
                .images
                .retain(|(of, name), id| of != engine || (name != image && id != image));
        };
        self.change("remove an image", Some(engine), effect).await
    }
}

impl FakeState {
    /// The id of an image; `None` when it is missing.
    pub(super) fn image_id(&self, engine: &str, image: &str) -> Option<String> {
        let key = (engine.to_owned(), image.to_owned());
        match self.images.get(&key) {
            Some(id) if id.is_empty() => None,
            Some(id) => Some(id.clone()),
            None => Some(image.to_owned()),
        }
    }

    fn images_of(&self, engine: &str) -> Vec<Image> {
        let mut images: Vec<Image> = Vec::new();
        for ((of, name), id) in &self.images {
            if of != engine || id.is_empty() {
                continue;
            }
            match images.iter_mut().find(|image| image.id == *id) {
                Some(image) => image.names.push(name.clone()),
                None => images.push(Image {
                    id: id.clone(),
                    names: vec![name.clone()],
                    ..Image::default()
                }),
            }
        }
        images
    }
}

/// Names the verb of a failure.
pub(super) fn failed(engine: &str, verb: &'static str) -> impl FnOnce(Cause) -> HostError {
    let engine = engine.to_owned();
    move |source| HostError::Images {
        host: "fake".to_owned(),
        engine,
        verb,
        source,
    }
}
