//! What the API asks of the daemon about images and registries.

use async_trait::async_trait;
use orchestrator_model::{ByteStream, Credentials, Image, PullProgress, Timestamp};
use tokio::sync::mpsc;

use super::ControlError;
use super::caller::Caller;

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
    async fn list(&self, engine: &str) -> Result<Vec<Image>, ControlError>;

    /// Loads the images of an archive.
    async fn load(&self, by: &Caller, engine: &str, archive: ByteStream) -> Result<Vec<Image>, ControlError>;

    /// Fetches an image from its registry, by the credentials that [`login`](Self::login) has given for it.
    async fn pull(
        &self,
        by: &Caller,
        engine: &str,
        image: &str,
        progress: mpsc::Sender<PullProgress>,
    ) -> Result<Image, ControlError>;

    /// Removes a name from an image, or an image by its id.
    async fn remove(&self, by: &Caller, engine: &str, image: &str) -> Result<(), ControlError>;

    /// The registries that have credentials, and since when.
    async fn registries(&self) -> Result<Vec<(String, Timestamp)>, ControlError>;

    /// Seals the credentials for a registry, in place of those before.
    async fn login(&self, by: &Caller, host: &str, credentials: Credentials) -> Result<(), ControlError>;

    /// Forgets the credentials for a registry; whether there were any.
    async fn logout(&self, by: &Caller, host: &str) -> Result<bool, ControlError>;
}
