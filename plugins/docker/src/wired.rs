//! A start that waits until the network of the container is wired.

use orchestrator_plugin::{Container, EngineError};
use tokio::sync::oneshot;

/// Whether the network of a container is wired.
pub(crate) struct Wired(Option<oneshot::Receiver<()>>);

impl Wired {
    /// It is, or whoever called wires it later.
    pub(crate) fn already() -> Self {
        Self(None)
    }

    /// It is when the caller says so.
    pub(crate) fn when(told: oneshot::Receiver<()>) -> Self {
        Self(Some(told))
    }

    /// Returns when it is wired.
    ///
    /// # Errors
    ///
    /// [`EngineError::Failed`] if the caller gave up.
    pub(crate) async fn wait(&mut self, container: &Container) -> Result<(), EngineError> {
        match self.0.take() {
            Some(told) => told.await.map_err(|_| EngineError::not_wired(&container.key)),
            None => Ok(()),
        }
    }
}
