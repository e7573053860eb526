//! Makes sure that a container does not run.

use std::error::Error;

use bollard::query_parameters::StopContainerOptions;
use orchestrator_plugin::{Container, EngineError, FoundState};
use tracing::debug;

use crate::DockerEngine;
use crate::errors::{NOT_FOUND, status};

impl DockerEngine {
    /// Stops the container, with the grace that it was made with (see `container`), and waits until it has ended.
    pub(crate) async fn stop_container(&self, container: &Container) -> Result<(), EngineError> {
        let Some(ours) = self.find_ours(container).await? else {
            return Ok(());
        };
        let name = container.key.engine_name();
        // First, also for what does not run: the engine must not start it again later. When that fails, the container
        // must end all the same.
        let policy = self.take_policy_back(&name, &ours.account).await;
        let reference = ours.found.reference.clone();
        match ours.found.state {
            FoundState::Running(_) => {
                self.end(&name, &reference).await?;
                policy
            }
            FoundState::Paused(_) => {
                // What is frozen cannot end by itself, and Podman stops nothing that is. When it cannot be thawed, the
                // engine may still be able to kill it.
                if let Err(fault) = self.unpause(&name, ours.found).await {
                    debug!(
                        container = name,
                        error = &fault as &dyn Error,
                        "could not thaw it before its end"
                    );
                }
                self.end(&name, &reference).await?;
                policy
            }
            FoundState::Created | FoundState::Exited { .. } => policy,
        }
    }

    /// Stops one container that runs, and waits until it has ended. Success when it is gone.
    pub(crate) async fn end(&self, name: &str, reference: &str) -> Result<(), EngineError> {
        let stop = self
            .connection
            .ask(|docker| async move { docker.stop_container(reference, None::<StopContainerOptions>).await });
        match stop.await {
            Ok(()) => Ok(()),
            // It was removed in between.
            Err(error) if status(&error) == Some(NOT_FOUND) => Ok(()),
            Err(error) => Err(self.connection.explain("stop", name, error)),
        }
    }
}
