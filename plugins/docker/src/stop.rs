//! Makes sure that an instance's container does not run.

use bollard::query_parameters::StopContainerOptions;
use orchestrator_plugin::{Found, FoundState, InstanceId, PluginError};

use crate::DockerPlugin;
use crate::errors::{NOT_FOUND, status};
use crate::mark::container_name;

impl DockerPlugin {
    /// Stops the container, with the grace that it was made with (see `container`), and waits until it has ended.
    pub(crate) async fn stop_container(&self, id: &InstanceId) -> Result<(), PluginError> {
        let Some(Found { reference, state, .. }) = self.find_container(id).await? else {
            return Ok(());
        };
        let reference = reference.as_str();
        // First, also for what does not run: the engine must not start it again later. When that fails, the container
        // must end all the same.
        let policy = match self.inspect(reference).await {
            Ok(Some(container)) => self.take_policy_back(&container_name(id), &container).await,
            Ok(None) => return Ok(()),
            Err(fault) => Err(fault),
        };
        if !matches!(state, FoundState::Running(_) | FoundState::Paused(_)) {
            return policy;
        }
        let stop = self
            .engine
            .ask(|docker| async move { docker.stop_container(reference, None::<StopContainerOptions>).await });
        match stop.await {
            Ok(()) => policy,
            // It was removed in between.
            Err(error) if status(&error) == Some(NOT_FOUND) => Ok(()),
            Err(error) => Err(self.engine.explain("stop", &container_name(id), error)),
        }
    }
}
