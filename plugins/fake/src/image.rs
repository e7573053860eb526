//! Images in memory.

use bytes::Bytes;
use futures_util::TryStreamExt;
use orchestrator_plugin::{ByteStream, Credentials, EngineError, Image, PullProgress, PullRequest};
use tokio::sync::mpsc;

use crate::FakeEngine;
use crate::request::Verb;
use crate::world::Contents;

/// The beginning of an archive of images.
const MAGIC: &[u8] = b"fake-images\n";

/// The size of every image of the fake, in bytes.
const SIZE: u64 = 1 << 20;

/// An image that a registry offers.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) id: String,
    /// The user who may have it; `None` means everybody.
    pub(crate) credentials: Option<Credentials>,
}

/// An archive of one image with this name. Two archives of the same content hold the same image.
pub fn archive(name: &str, content: &str) -> Vec<u8> {
    [MAGIC, format!("{name} {content}\n").as_bytes()].concat()
}

impl Contents {
    /// The id of the image with this name or id.
    pub(crate) fn image_id(&self, image: &str) -> Option<String> {
        let mut ids = self.images.values().chain(&self.nameless);
        let by_name = self.images.get(image);
        by_name.or_else(|| ids.find(|id| *id == image)).cloned()
    }

    /// Gives an image a name. The image that had it may be without a name then.
    pub(crate) fn name_image(&mut self, name: &str, id: String) {
        self.nameless.remove(&id);
        if let Some(before) = self.images.insert(name.to_owned(), id)
            && !self.images.values().any(|id| *id == before)
        {
            self.nameless.insert(before);
        }
    }

    /// All images, by their ids.
    pub(crate) fn all_images(&self) -> Vec<Image> {
        let mut ids: Vec<_> = self.images.values().chain(&self.nameless).collect();
        ids.sort();
        ids.dedup();
        ids.into_iter().map(|id| self.image(id)).collect()
    }

    fn image(&self, id: &str) -> Image {
        let names = self.images.iter().filter(|(_, of)| *of == id);
        Image {
            id: id.to_owned(),
            names: names.map(|(name, _)| name.clone()).collect(),
            size: Some(SIZE),
            ..Image::default()
        }
    }

    /// Removes a name, or an image with its names.
    ///
    /// # Errors
    ///
    /// When the image would go, and a container uses it.
    pub(crate) fn remove_image(&mut self, image: &str) -> Result<(), EngineError> {
        let Some(id) = self.image_id(image) else {
            return Ok(());
        };
        let others = self.images.iter().any(|(name, of)| *of == id && name != image);
        let goes = id == image || !others;
        let user = self.containers.iter().find(|one| one.image.as_ref() == Some(&id));
        if let Some(user) = user.filter(|_| goes) {
            return Err(EngineError::Refused {
                verb: "remove image",
                subject: image.to_owned(),
                reason: format!("container {} uses it", user.name),
            });
        }
        self.images.retain(|name, of| name != image && !(goes && *of == id));
        if goes {
            self.nameless.remove(&id);
        }
        Ok(())
    }
}

/// Loads the images of an archive that [`archive`] made.
pub(crate) async fn load(engine: &FakeEngine, archive: ByteStream) -> Result<Vec<Image>, EngineError> {
    let pieces: Vec<Bytes> = archive.try_collect().await?;
    let bytes = pieces.concat();
    engine
        .world
        .ask(Verb::LoadImages, move |contents| {
            let names = bytes.strip_prefix(MAGIC).and_then(|rest| str::from_utf8(rest).ok());
            let names = names.filter(|names| names.ends_with('\n'));
            let names = names.ok_or_else(|| EngineError::Refused {
                verb: "load",
                subject: "an archive".to_owned(),
                reason: "it holds no image".to_owned(),
            })?;
            let mut loaded = Vec::new();
            for (name, content) in names.lines().filter_map(|line| line.split_once(' ')) {
                let id = format!("image-of-{content}");
                contents.name_image(name, id.clone());
                loaded.push(contents.image(&id));
            }
            Ok(loaded)
        })
        .await
}

/// Fetches an image that somebody published.
pub(crate) async fn pull(
    engine: &FakeEngine,
    request: &PullRequest,
    progress: mpsc::Sender<PullProgress>,
) -> Result<Image, EngineError> {
    let request = request.clone();
    engine
        .world
        .ask(Verb::PullImage, move |contents| {
            let reference = request.reference;
            let Some(published) = contents.registry.get(&reference).cloned() else {
                return Err(EngineError::ImageMissing { image: reference });
            };
            if published.credentials.is_some() && published.credentials != request.credentials {
                return Err(EngineError::Refused {
                    verb: "fetch image",
                    subject: reference,
                    reason: "the registry does not give it to this user".to_owned(),
                });
            }
            for done in [0, SIZE] {
                // A caller that does not want to know is none of our business.
                let _ = progress.try_send(PullProgress {
                    part: Some("layer".to_owned()),
                    status: "Downloading".to_owned(),
                    bytes: Some((done, SIZE)),
                });
            }
            contents.name_image(&reference, published.id.clone());
            Ok(contents.image(&published.id))
        })
        .await
}
