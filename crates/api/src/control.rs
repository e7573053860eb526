//! What the API asks of the daemon about images and registries.

use async_trait::async_trait;
use orchestrator_catalog::Template;
use orchestrator_model::{BroughtImage, ByteStream, Credentials, HostId, Image, ImagePin, PullProgress, Timestamp};
use tokio::sync::mpsc;

use super::ControlError;
use super::caller::Caller;

/// An image of an engine, with what is recorded about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedImage {
    /// The image.
    pub image: Image,
    /// How it was brought; `None` if it was not loaded or fetched through the daemon.
    pub brought: Option<BroughtImage>,
    /// What uses it, for people.
    pub uses: Vec<String>,
}

/// What a name of an image means on an engine now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// The image of this id.
    Image(String),
    /// No image.
    Missing,
    /// The engine did not say.
    Unknown,
}

/// A name of an image in a version of a template, on one engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateImage {
    /// The host.
    pub host: HostId,
    /// The engine.
    pub engine: String,
    /// The name.
    pub image: String,
    /// The image that it is pinned to.
    pub pin: Option<ImagePin>,
    /// What the name means now.
    pub now: Meaning,
    /// Whether the engine has the image that the name is pinned to; `None` if that is not known.
    pub is_there: Option<bool>,
}

/// What became of an unused image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pruned {
    /// It stays: something uses it.
    Used,
    /// It stays: it is among the newest of its repository.
    Newest,
    /// It would have been removed.
    WouldGo,
    /// It was removed.
    Removed,
    /// The engine did not remove it, for this reason.
    Failed(String),
}

/// Every image that was brought with what became of it, and each engine that did not answer with the reason.
pub type Prunings = (Vec<(ListedImage, Pruned)>, Vec<(String, String)>);

/// The API's requests about images. They may take as long as they take; each ends when it is dropped.
#[async_trait]
pub trait ImageControl: Send + Sync + 'static {
    /// The names of all engines.
    fn engines(&self) -> Vec<String>;

    /// The engine of this name; without a name, the only one.
    ///
    /// # Errors
    ///
    /// [`ControlError::NoSuchEngine`]; [`ControlError::Refused`] when there are several and none is named.
    fn engine(&self, name: Option<&str>) -> Result<String, ControlError> {
        let engines = self.engines();
        match (name, engines.as_slice()) {
            (Some(name), _) if engines.iter().any(|engine| engine == name) => Ok(name.to_owned()),
            (Some(name), _) => Err(ControlError::NoSuchEngine {
                engine: name.to_owned(),
                engines,
            }),
            (None, [only]) => Ok(only.clone()),
            (None, _) => Err(ControlError::Refused {
                reason: format!("there are several engines; name one of {}", engines.join(", ")),
            }),
        }
    }

    /// The templates that name this image on this engine.
    fn templates_of(&self, engine: &str, image: &str) -> Vec<String>;

    /// All images of an engine.
    async fn list(&self, engine: &str) -> Result<Vec<ListedImage>, ControlError>;

    /// Loads the images of an archive.
    async fn load(&self, by: &Caller, engine: &str, archive: ByteStream) -> Result<Vec<ListedImage>, ControlError>;

    /// Fetches an image from its registry, by the credentials that [`login`](Self::login) has given for it.
    async fn pull(
        &self,
        by: &Caller,
        engine: &str,
        image: &str,
        progress: mpsc::Sender<PullProgress>,
    ) -> Result<ListedImage, ControlError>;

    /// Removes a name from an image, or an image by its id.
    async fn remove(&self, by: &Caller, engine: &str, image: &str) -> Result<(), ControlError>;

    /// Removes every image that was brought and that nothing uses now, but for so many of the newest of each repository:
    /// `keep`, or what the settings say. With `dry_run`, nothing is removed.
    async fn prune(&self, by: &Caller, keep: Option<usize>, dry_run: bool) -> Result<Prunings, ControlError>;

    /// The images of each of these templates, on each engine. An engine that does not answer soon is not waited for.
    async fn template_images(&self, templates: &[Template]) -> Result<Vec<Vec<TemplateImage>>, ControlError>;

    /// Pins a template to what its names of images mean now: a new version, unless nothing changed. `expected` is the
    /// version that the caller has read.
    async fn update_template(&self, by: &Caller, name: &str, expected: Option<u64>) -> Result<Template, ControlError>;

    /// The registries that have credentials, and since when.
    async fn registries(&self) -> Result<Vec<(String, Timestamp)>, ControlError>;

    /// Seals the credentials for a registry, in place of those before.
    async fn login(&self, by: &Caller, host: &str, credentials: Credentials) -> Result<(), ControlError>;

    /// Forgets the credentials for a registry; whether there were any.
    async fn logout(&self, by: &Caller, host: &str) -> Result<bool, ControlError>;
}
