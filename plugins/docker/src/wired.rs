//! A start that waits until the network of the container is wired.

use orchestrator_plugin::{Container, EngineError, Preparing};

/// Whether the network of a container is there and wired.
pub(crate) struct Wired(Option<Preparing>);

impl Wired {
    /// It is, or the caller wires it later.
    pub(crate) fn already() -> Self {
        Self(None)
    }

    /// It is when the caller says so.
    pub(crate) fn when(namespace: Preparing) -> Self {
        Self(Some(namespace))
    }

    /// Returns when the container can be created in it.
    ///
    /// # Errors
    ///
    /// [`EngineError::Failed`] if the caller gave up.
    pub(crate) async fn made(&mut self, container: &Container) -> Result<(), EngineError> {
        match &mut self.0 {
            Some(namespace) => namespace.made(&container.key).await,
            None => Ok(()),
        }
    }

    /// Returns when it is wired.
    ///
    /// # Errors
    ///
    /// [`EngineError::Failed`] if the caller gave up.
    pub(crate) async fn wait(&mut self, container: &Container) -> Result<(), EngineError> {
        match &mut self.0 {
            Some(namespace) => namespace.wired(&container.key).await,
            None => Ok(()),
        }
    }

    /// Says that the container has just been started.
    pub(crate) fn started(&mut self) {
        if let Some(namespace) = &mut self.0 {
            namespace.started();
        }
    }
}
