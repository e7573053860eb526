//! Freezes the processes of a container.

use orchestrator_plugin::{Container, EngineError, FoundState};

use crate::DockerEngine;

impl DockerEngine {
    /// Freezes the container, when it is not frozen already.
    pub(crate) async fn pause_container(&self, container: &Container) -> Result<(), EngineError> {
        let name = container.key.engine_name();
        let found = self.find_ours(container).await?.map(|ours| ours.found);
        let reference = match found {
            Some(found) if matches!(found.state, FoundState::Paused(_)) => return Ok(()),
            Some(found) if matches!(found.state, FoundState::Running(_)) => found.reference,
            _ => {
                return Err(EngineError::NotRunning {
                    verb: "freeze",
                    subject: name,
                });
            }
        };
        let paused = self
            .connection
            .ask(|docker| async move { docker.pause_container(&reference).await })
            .await;
        paused.map_err(|error| self.connection.explain("freeze", &name, error))
    }
}
