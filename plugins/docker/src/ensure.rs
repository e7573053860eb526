//! Makes sure that an instance's container exists and runs.
//!
//! Looking comes first, by the mark: the instance's container may go by another name now. The engine's own refusal of
//! a second container of a name is what no other call can slip past.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bollard::models::{ContainerCreateBody, ContainerInspectResponse, ContainerStateStatusEnum as Status};
use bollard::query_parameters::{CreateContainerOptionsBuilder, StartContainerOptions};
use orchestrator_plugin::{Found, FoundState, InstanceId, InstanceSpec, PluginError};
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::DockerPlugin;
use crate::connect::Engine;
use crate::container::plan_container;
use crate::creations::Turn;
use crate::errors::{CONFLICT, EngineError};
use crate::find::engine_status;
use crate::mark::container_name;

/// Between two looks at a name that is taken by a container that cannot be seen yet, or no more.
const PAUSE: Duration = Duration::from_millis(20);

impl DockerPlugin {
    /// Creates the container where there is none, starts it where it does not run.
    pub(crate) async fn ensure_container(&self, id: &InstanceId, spec: &InstanceSpec) -> Result<Found, PluginError> {
        // Never closed, so that there is always a permit to wait for.
        let _permit = self.starts.acquire().await.ok();
        let name = container_name(id);
        let deadline = Instant::now() + self.engine.timeout();
        loop {
            let (marked, image) = tokio::join!(self.find_marked(id), self.engine.check_image(&spec.image));
            if let Some(existing) = marked?.into_iter().next() {
                return self.ensure_found_runs(id, &existing.reference).await;
            }
            // An instance may outlive its image on the engine, so that a missing image is no reason not to look.
            let image = image?.id;
            let body = plan_container(&self.mark, id, spec, &image);
            let turn = self.creations.turn(id).await;
            let error = match create(self.engine.clone(), name.clone(), body, turn).await {
                Ok(reference) => return self.start(id, &name, &reference).await,
                Err(error) => error,
            };
            if !is_name_taken(&error) {
                return Err(self.engine.explain("create", &name, error));
            }
            match self.inspect(&name).await? {
                Some(existing) => return self.ensure_runs(id, &name, &existing).await,
                None if Instant::now() >= deadline => return Err(self.engine.explain("create", &name, error)),
                // Another call is creating it, or the engine has just removed it.
                None => sleep(PAUSE).await,
            }
        }
    }

    /// Sees to it that a container runs which carries the instance's mark.
    async fn ensure_found_runs(&self, id: &InstanceId, reference: &str) -> Result<Found, PluginError> {
        match self.inspect(reference).await? {
            Some(existing) => self.ensure_runs(id, &container_name(id), &existing).await,
            None => Err(gone(&container_name(id))),
        }
    }

    /// Starts the container of this instance, and tells how it runs.
    async fn start(&self, id: &InstanceId, name: &str, reference: &str) -> Result<Found, PluginError> {
        self.start_container(name, reference).await?;
        let container = self.inspect(reference).await?;
        let started = container.and_then(|container| self.ours(id, &container));
        started.ok_or_else(|| gone(name))
    }

    /// Starting what already runs is success.
    async fn start_container(&self, name: &str, reference: &str) -> Result<(), PluginError> {
        let start = self
            .engine
            .ask(|docker| async move { docker.start_container(reference, None::<StartContainerOptions>).await });
        start.await.map_err(|error| self.engine.explain("start", name, error))
    }

    async fn ensure_runs(
        &self,
        id: &InstanceId,
        name: &str,
        existing: &ContainerInspectResponse,
    ) -> Result<Found, PluginError> {
        let Some(found) = self.ours(id, existing) else {
            return Err(PluginError::Refused {
                verb: "create",
                subject: name.to_owned(),
                reason: "a container of that name is there and is not ours; remove or rename it".to_owned(),
            });
        };
        let status = engine_status(existing);
        if matches!(status, Some(Status::REMOVING | Status::DEAD)) {
            return Err(PluginError::Failed {
                verb: "create",
                subject: name.to_owned(),
                reason: "the engine is still removing the container of that name".to_owned(),
            });
        }
        // An engine that does not change the policy runs the instance all the same.
        if let Err(fault) = self.take_policy_back(name, existing).await {
            warn!(
                container = name,
                error = &fault as &dyn Error,
                "the engine keeps the restart policy that somebody gave to the container; take it back with \
                 `docker update --restart no`"
            );
        }
        match status {
            Some(Status::PAUSED) => self.unpause(name, found).await,
            _ if matches!(found.state, FoundState::Running(_)) => Ok(found),
            _ => self.start(id, name, &found.reference).await,
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
        let state = match found.state {
            FoundState::Paused(running) => FoundState::Running(running),
            state => state,
        };
        Ok(Found { state, ..found })
    }
}

/// Has the engine create a container, and watches that to its end even when nobody waits for it any more. The turn is
/// given back at the end. Returns the engine's name for the container.
async fn create(
    engine: Arc<Engine>,
    name: String,
    body: ContainerCreateBody,
    turn: Turn,
) -> Result<String, EngineError> {
    let creation = tokio::spawn(async move {
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let created = engine
            .ask(|docker| async move { docker.create_container(Some(options), body).await })
            .await;
        drop(turn);
        let created = created?;
        for warning in &created.warnings {
            warn!(container = name, warning, "the engine warns of a container");
        }
        Ok(created.id)
    });
    creation.await.unwrap_or_else(|fault| {
        Err(EngineError::IOError {
            err: std::io::Error::other(fault),
        })
    })
}

/// It was there a moment ago.
fn gone(name: &str) -> PluginError {
    PluginError::Failed {
        verb: "start",
        subject: name.to_owned(),
        reason: "it was removed while it was starting".to_owned(),
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
