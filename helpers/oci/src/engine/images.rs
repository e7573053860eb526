//! Images: loaded, listed, removed, and kept for as long as a container is made from them.

use std::time::{SystemTime, UNIX_EPOCH};

use orchestrator_images::{Digest, DigestError, ImageError, StoredImage};
use orchestrator_plugin_oci::protocol::{Fault, ImageAnswer, ImageEntry, Verb};
use tracing::warn;

use super::Helper;
use super::copy::{Pieces, Source};
use crate::image::Image;

impl Helper {
    /// Facts about an image.
    pub(crate) async fn check_image(&self, name: &str) -> Result<ImageAnswer, Fault> {
        let wanted = name.to_owned();
        let found = self
            .with_store(Verb::Find, name, move |helper| helper.0.images.resolve(&wanted))
            .await?;
        Ok(ImageAnswer {
            id: found.digest.to_string(),
            has_health_check: found.config.has_health_check,
        })
    }

    /// All images.
    pub(crate) fn images(&self) -> Vec<ImageEntry> {
        self.0.images.images().iter().map(entry).collect()
    }

    /// Those of these layers that are there, by the digests of their uncompressed form.
    pub(crate) fn layers(&self, layers: &[String]) -> Result<Vec<String>, Fault> {
        let there = self.0.images.layers_of(&digests(layers)?);
        Ok(there.iter().map(ToString::to_string).collect())
    }

    /// Loads the images of an archive, which may lack these layers.
    pub(crate) async fn load_images(&self, archive: Pieces, layers: &[String]) -> Result<Vec<ImageEntry>, Fault> {
        let layers = digests(layers)?;
        let load = move |helper: &Self| helper.0.images.load_onto(Source::new(archive), &layers);
        let loaded = self.with_store(Verb::LoadImages, "an archive", load).await?;
        Ok(loaded.iter().map(entry).collect())
    }

    /// Removes a name from its image, and the image with its last name; or, by its digest, an image.
    pub(crate) async fn remove_image(&self, name: &str) -> Result<(), Fault> {
        let wanted = name.to_owned();
        let removed = self
            .with_store(Verb::Remove, name, move |helper| helper.0.images.remove(&wanted))
            .await;
        removed.map(drop)
    }

    /// The image of this name or digest. It is kept until it is released.
    pub(super) async fn hold_image(&self, name: &str, reference: &str) -> Result<Image, Fault> {
        let (wanted, holder) = (name.to_owned(), reference.to_owned());
        let held = move |helper: &Self| helper.0.images.hold(&wanted, &holder);
        self.with_store(Verb::Create, name, held).await.map(Image::from)
    }

    /// The container is gone.
    pub(super) fn release_image(&self, reference: &str) {
        if let Err(error) = self.0.images.release(reference) {
            warn!(container = reference, %error, "its image is kept until the next start");
        }
    }

    /// Releases what containers held that are gone: a helper was killed in between.
    pub(super) fn release_images(&self) {
        let directories = self.0.place.containers();
        for holder in self.0.images.holders().into_keys() {
            // Also that of a container which cannot be read is kept.
            if !directories.join(&holder).exists() {
                self.release_image(&holder);
            }
        }
    }

    async fn with_store<T: Send + 'static>(
        &self,
        verb: Verb,
        image: &str,
        act: impl FnOnce(&Self) -> Result<T, ImageError> + Send + 'static,
    ) -> Result<T, Fault> {
        let helper = self.clone();
        let subject = match verb {
            Verb::LoadImages => image.to_owned(),
            _ => format!("image {image}"),
        };
        let done = tokio::task::spawn_blocking(move || act(&helper)).await;
        let done = done.map_err(|fault| Fault::failed(verb, &subject, fault))?;
        done.map_err(|error| match error {
            ImageError::Missing { .. } => Fault::ImageMissing {
                image: image.to_owned(),
            },
            ImageError::Store { .. } | ImageError::Locked { .. } | ImageError::LayerGone { .. } => {
                Fault::failed(verb, &subject, with_cause(&error))
            }
            _ => Fault::refused(verb, &subject, with_cause(&error)),
        })
    }
}

/// The digests of layers.
fn digests(layers: &[String]) -> Result<Vec<Digest>, Fault> {
    let parsed = layers.iter().map(|layer| layer.parse::<Digest>());
    parsed
        .collect::<Result<_, _>>()
        .map_err(|error: DigestError| Fault::refused(Verb::LoadImages, "a layer", error))
}

/// The error with what caused it.
fn with_cause(error: &ImageError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn entry(image: &StoredImage) -> ImageEntry {
    let seconds = |moment: SystemTime| moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    ImageEntry {
        id: image.digest.to_string(),
        names: image.names.iter().map(ToString::to_string).collect(),
        digests: image.manifest.iter().map(ToString::to_string).collect(),
        size: image.bytes,
        created: image.created.map(seconds),
        used: Some(seconds(image.used)),
    }
}
