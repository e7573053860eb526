//! Makes sure that a container is gone.
//!
//! Podman removes no container whose network namespace another one shares. Those of ours that share it are removed
//! before it then; without it they could never be started again. One that somebody else made is left alone, and named
//! by the error.

use std::time::Duration;

use bollard::query_parameters::RemoveContainerOptionsBuilder;
use orchestrator_plugin::{Container, EngineError};
use tokio::time::{Instant, sleep};

use crate::DockerEngine;
use crate::errors::{ApiError, CONFLICT, NOT_FOUND};
use crate::find::found;
use crate::mark::{SHARES, instance_filter, marked};

/// The pause before a removal that somebody else has begun is checked again.
const PAUSE: Duration = Duration::from_millis(50);

impl DockerEngine {
    /// Removes the container that the caller means, whatever its name is now, and a container that replaced it.
    ///
    /// A creation that is under way is awaited, and its container is removed, too. A copy that somebody made is left
    /// alone. Each container is tried even if another one fails; the first failure is returned.
    pub(crate) async fn remove_containers(&self, container: &Container) -> Result<(), EngineError> {
        let name = container.key.engine_name();
        let turn = tokio::time::timeout(self.connection.timeout(), self.creations.turn(&container.key)).await;
        let late = |_| {
            self.connection
                .explain("finish creating", &name, ApiError::RequestTimeoutError)
        };
        // While this is held, nobody creates another.
        let _turn = turn.map_err(late)?;
        let mut marked = self.marked(container).await?;
        if container.reference.is_none() {
            // Any others that bear the mark are copies.
            marked.truncate(1);
        }
        let mut outcome = Ok(());
        for reference in marked {
            let removed = self.remove_container(&name, &reference).await;
            outcome = outcome.and(removed);
        }
        outcome
    }

    /// Removes one container with its processes and volumes, and waits until it is gone. People know it by `name`.
    pub(crate) async fn remove_container(&self, name: &str, reference: &str) -> Result<(), EngineError> {
        let deadline = Instant::now() + self.connection.timeout();
        loop {
            let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
            let answer = self
                .connection
                .ask(|docker| async move { docker.remove_container(reference, Some(options)).await });
            match answer.await {
                Ok(()) => return Ok(()),
                Err(ApiError::DockerResponseServerError {
                    status_code: NOT_FOUND, ..
                }) => return Ok(()),
                Err(error) if is_under_way(&error) && Instant::now() < deadline => sleep(PAUSE).await,
                Err(error) if is_under_way(&error) => {
                    return Err(self.connection.explain("remove", name, ApiError::RequestTimeoutError));
                }
                Err(error) if is_depended_on(&error) && Instant::now() < deadline => {
                    if !self.remove_sharers(reference).await? {
                        return Err(self.connection.explain("remove", name, error));
                    }
                }
                Err(error) => return Err(self.connection.explain("remove", name, error)),
            }
        }
    }

    /// Removes the containers of the same instance that share the network namespace of this one. Returns whether there
    /// were any.
    async fn remove_sharers(&self, reference: &str) -> Result<bool, EngineError> {
        let Some(of) = self
            .inspect(reference)
            .await?
            .and_then(|account| found(&self.mark, &account))
        else {
            return Ok(false);
        };
        let mut is_any = false;
        for listed in self.listed(instance_filter(&self.mark, &of.key)).await? {
            let (Some(id), Some(labels), Some(image)) = (listed.id, listed.labels, listed.image_id) else {
                continue;
            };
            let Some(key) = marked(&self.mark, &labels, &image) else {
                continue;
            };
            let shares = labels.get(SHARES).is_some_and(|name| name == of.key.name.as_str());
            // A copy of ours has another name than we gave.
            let name = key.engine_name();
            let is_named = listed.names.is_some_and(|names| names.contains(&format!("/{name}")));
            if shares && is_named && id != reference {
                Box::pin(self.remove_container(&name, &id)).await?;
                is_any = true;
            }
        }
        Ok(is_any)
    }
}

/// Whether other containers share the network namespace of this one. Podman says so only in words.
fn is_depended_on(error: &ApiError) -> bool {
    matches!(error, ApiError::DockerResponseServerError { message, .. } if message.contains("has dependent containers"))
}

/// Whether somebody else has begun the removal. The engine has a status for this, but shares it with other conflicts.
fn is_under_way(error: &ApiError) -> bool {
    matches!(error, ApiError::DockerResponseServerError { status_code: CONFLICT, message } if message.contains("already in progress"))
}
