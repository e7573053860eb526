//! Makes sure that an instance's container exists and runs.
//!
//! Creating comes first, not looking: the common case is a new instance, and the engine's own refusal of a second
//! container of that name is the only check that no other call can slip past.

use std::time::Duration;

use bollard::models::{ContainerCreateBody, ContainerInspectResponse, ContainerStateStatusEnum as Status};
use bollard::query_parameters::{CreateContainerOptionsBuilder, StartContainerOptions};
use orchestrator_plugin::{Found, FoundState, InstanceId, InstanceSpec, PluginError};
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::DockerPlugin;
use crate::container::plan_container;
use crate::errors::{CONFLICT, EngineError, NOT_FOUND, status};
use crate::find::{engine_status, found};
use crate::mark::container_name;

/// Between two looks at a name that is taken by a container that cannot be seen yet, or no more.
const PAUSE: Duration = Duration::from_millis(20);

impl DockerPlugin {
    /// Creates the container where there is none, starts it where it does not run.
    pub(crate) async fn ensure_container(&self, id: &InstanceId, spec: &InstanceSpec) -> Result<Found, PluginError> {
        // Never closed, so that there is always a permit to wait for.
        let _permit = self.starts.acquire().await.ok();
        let name = container_name(id);
        let body = plan_container(&self.mark, id, spec);
        let deadline = Instant::now() + self.engine.timeout();
        loop {
            let error = match self.create(&name, body.clone()).await {
                Ok(reference) => return self.start(&name, &reference).await,
                Err(error) => error,
            };
            // An instance may outlive its image on the engine, so that a missing image is no reason not to look.
            let image_missing = status(&error) == Some(NOT_FOUND);
            if !image_missing && !is_name_taken(&error) {
                return Err(self.engine.explain("create", &name, error));
            }
            match self.inspect(&name).await? {
                Some(existing) => return self.ensure_runs(id, &name, &existing).await,
                None if image_missing => {
                    return Err(PluginError::ImageMissing {
                        image: spec.image.clone(),
                    });
                }
                None if Instant::now() >= deadline => return Err(self.engine.explain("create", &name, error)),
                // Another call is creating it, or the engine has just removed it.
                None => sleep(PAUSE).await,
            }
        }
    }

    async fn create(&self, name: &str, body: ContainerCreateBody) -> Result<String, EngineError> {
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        let created = self
            .engine
            .ask(|docker| async move { docker.create_container(Some(options), body).await })
            .await?;
        for warning in &created.warnings {
            warn!(container = name, warning, "the engine warns of a container");
        }
        Ok(created.id)
    }

    /// Starts the container and tells how it runs. Starting what already runs is success.
    async fn start(&self, name: &str, reference: &str) -> Result<Found, PluginError> {
        let start = self
            .engine
            .ask(|docker| async move { docker.start_container(reference, None::<StartContainerOptions>).await });
        start.await.map_err(|error| self.engine.explain("start", name, error))?;
        let container = self.inspect(reference).await?;
        container
            .and_then(|container| found(&self.mark, &container))
            .ok_or_else(|| PluginError::Failed {
                verb: "start",
                subject: name.to_owned(),
                reason: "it was removed while it was starting".to_owned(),
            })
    }

    async fn ensure_runs(
        &self,
        id: &InstanceId,
        name: &str,
        existing: &ContainerInspectResponse,
    ) -> Result<Found, PluginError> {
        let Some(found) = found(&self.mark, existing).filter(|found| found.id == *id) else {
            return Err(PluginError::Refused {
                verb: "create",
                subject: name.to_owned(),
                reason: "a container of that name is there and is not ours; remove or rename it".to_owned(),
            });
        };
        match engine_status(existing) {
            Some(Status::REMOVING | Status::DEAD) => Err(PluginError::Failed {
                verb: "create",
                subject: name.to_owned(),
                reason: "the engine is still removing the container of that name".to_owned(),
            }),
            Some(Status::PAUSED) => self.unpause(name, found).await,
            _ if matches!(found.state, FoundState::Running(_)) => Ok(found),
            _ => self.start(name, &found.reference).await,
        }
    }

    async fn unpause(&self, name: &str, found: Found) -> Result<Found, PluginError> {
        let reference = &found.reference;
        let unpause = self
            .engine
            .ask(|docker| async move { docker.unpause_container(reference).await });
        unpause
            .await
            .map_err(|error| self.engine.explain("unpause", name, error))?;
        Ok(found)
    }
}

/// Whether a container of that name is there. Podman 4 says so in words alone.
fn is_name_taken(error: &EngineError) -> bool {
    match error {
        EngineError::DockerResponseServerError { status_code, message } => {
            *status_code == CONFLICT || message.contains("name is already in use")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_is_told_by_status_or_in_words() {
        let answered = |status_code, message: &str| EngineError::DockerResponseServerError {
            status_code,
            message: message.to_owned(),
        };
        let podman = "container create: creating container storage: the container name \"x\" is already in use by 5015f. \
                      You have to remove that container to be able to reuse that name: that name is already in use";
        assert!(is_name_taken(&answered(409, "Conflict.")));
        assert!(is_name_taken(&answered(500, podman)));
        assert!(!is_name_taken(&answered(500, "no space left on device")));
        assert!(!is_name_taken(&EngineError::RequestTimeoutError));
    }
}
