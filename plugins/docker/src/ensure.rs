//! Makes sure that a container exists and runs.
//!
//! It searches first, by the recorded id or by the mark, because the container may have another name now. If two calls
//! create it at the same time, the engine refuses the second one, because the name is taken.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bollard::models::{ContainerCreateBody, ContainerStateStatusEnum as Status};
use bollard::query_parameters::{CreateContainerOptionsBuilder, StartContainerOptions};
use bytes::Bytes;
use orchestrator_plugin::{Container, ContainerSpec, EngineError, Found, FoundState, NetworkMode, Turn};
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::DockerEngine;
use crate::connect::Connection;
use crate::container::plan_container;
use crate::copy::archive_of;
use crate::errors::{ApiError, CONFLICT, NOT_FOUND, status};
use crate::find::{Ours, engine_status};
use crate::share::Network;
use crate::wired::Wired;

/// The pause before the next try for a name that belongs to a container which is not visible yet or any more.
const PAUSE: Duration = Duration::from_millis(20);

impl DockerEngine {
    /// Creates the container if it is missing, and starts it if it does not run, but not before its network is `wired`.
    ///
    /// A new container takes five requests in four steps: search and image at the same time, create, start, inspect. An
    /// image that is named by its id is not asked for.
    pub(crate) async fn ensure_container(
        &self,
        container: &Container,
        spec: &ContainerSpec,
        network: &NetworkMode,
        mut wired: Wired,
    ) -> Result<Found, EngineError> {
        self.require(spec.needs().with(network.capability()))?;
        let name = container.key.engine_name();
        archive_of(&name, &spec.files)?;
        // Never closed, so that there is always a permit to wait for.
        let _permit = self.starts.acquire().await.ok();
        let network = self.find_network(container, network).await?;
        let files = self.files_of(&name, spec, &network)?;
        let deadline = Instant::now() + self.connection.timeout();
        loop {
            let (existing, image) = self.find_with_image(container, spec).await?;
            if let Some(existing) = existing {
                wired.wait(container).await?;
                match self
                    .ensure_runs(container, files.as_ref(), &network, existing, &mut wired)
                    .await?
                {
                    Some(found) => return Ok(found),
                    None => continue,
                }
            }
            // A container may outlive its image on the engine, so that a missing image is no reason not to search.
            let image = match image {
                Some(image) => image?,
                None => self.connection.check_image(&spec.image).await?.id,
            };
            let namespace = network.namespace();
            let body = plan_container(&self.mark, container, spec, &namespace, &image, &self.log);
            wired.made(container).await?;
            let turn = self.creations.turn(&container.key).await;
            let error = match create(self.connection.clone(), name.clone(), body, turn).await {
                Ok(reference) => {
                    wired.wait(container).await?;
                    return self
                        .start_first(container, files.as_ref(), &reference, &mut wired)
                        .await;
                }
                Err(error) => error,
            };
            if !is_name_taken(&error) {
                return Err(self.explain_creation(&name, &image, error).await);
            }
            match self.inspect(&name).await? {
                Some(account) => {
                    let existing = self.ours(container, account).ok_or_else(|| stranger(&name))?;
                    wired.wait(container).await?;
                    if let Some(found) = self
                        .ensure_runs(container, files.as_ref(), &network, existing, &mut wired)
                        .await?
                    {
                        return Ok(found);
                    }
                }
                None if Instant::now() >= deadline => return Err(self.connection.explain("create", &name, error)),
                // Another call is creating it, or the engine has just removed it.
                None => sleep(PAUSE).await,
            }
        }
    }

    /// The archive of the files that are written into the container before its first start.
    fn files_of(&self, name: &str, spec: &ContainerSpec, network: &Network) -> Result<Option<Bytes>, EngineError> {
        let dialect = self.connection.dialect();
        match dialect.resolver_file(&network.namespace(), spec.resolver.as_ref()) {
            None => archive_of(name, &spec.files),
            // A file of the template at the same path comes later, and stays.
            Some(file) => archive_of(name, &[&[file], spec.files.as_slice()].concat()),
        }
    }

    /// Searches the container. Where no reference is recorded there is probably none, so that the image is asked for
    /// side by side, unless its id is known.
    async fn find_with_image(
        &self,
        container: &Container,
        spec: &ContainerSpec,
    ) -> Result<(Option<Ours>, Option<Result<String, EngineError>>), EngineError> {
        if container.reference.is_some() {
            return Ok((self.find_ours(container).await?, None));
        }
        if is_id(&spec.image) {
            return Ok((self.find_marked(container).await?, Some(Ok(spec.image.clone()))));
        }
        let (existing, image) = tokio::join!(self.find_marked(container), self.connection.check_image(&spec.image));
        Ok((existing?, Some(image.map(|image| image.id))))
    }

    /// Why the engine did not create a container: it may lack an image that was not asked for.
    async fn explain_creation(&self, name: &str, image: &str, error: ApiError) -> EngineError {
        if status(&error) == Some(NOT_FOUND)
            && let Err(missing @ EngineError::ImageMissing { .. }) = self.connection.check_image(image).await
        {
            return missing;
        }
        self.connection.explain("create", name, error)
    }

    /// Starts a container for the first time, with its files in place.
    async fn start_first(
        &self,
        container: &Container,
        files: Option<&Bytes>,
        reference: &str,
        wired: &mut Wired,
    ) -> Result<Found, EngineError> {
        self.put_files(&container.key.engine_name(), reference, files).await?;
        self.start(container, reference, wired).await
    }

    /// Starts the container, says so, and returns its state. Starting a running container is success.
    async fn start(&self, container: &Container, reference: &str, wired: &mut Wired) -> Result<Found, EngineError> {
        let name = container.key.engine_name();
        let start = self
            .connection
            .ask(|docker| async move { docker.start_container(reference, None::<StartContainerOptions>).await });
        start
            .await
            .map_err(|error| self.connection.explain("start", &name, error))?;
        wired.started();
        let started = self.inspect(reference).await?;
        let this_one = container.clone().recorded(reference);
        let started = started.and_then(|account| self.ours(&this_one, account));
        started.map(|ours| ours.found).ok_or_else(|| gone(&name))
    }

    /// Makes sure that this container runs, in the right network. `None` if it had to be removed.
    async fn ensure_runs(
        &self,
        container: &Container,
        files: Option<&Bytes>,
        network: &Network,
        existing: Ours,
        wired: &mut Wired,
    ) -> Result<Option<Found>, EngineError> {
        let name = container.key.engine_name();
        let Ours { found, account } = existing;
        let status = engine_status(&account);
        if matches!(status, Some(Status::REMOVING | Status::DEAD)) {
            return Err(EngineError::Failed {
                verb: "create",
                subject: name,
                reason: "the engine is still removing the container of that name".to_owned(),
            });
        }
        if network.is_of_another(&account) {
            warn!(
                container = name,
                "it shares the network of a container that is gone: creating it anew"
            );
            self.remove_container(&name, &found.reference).await?;
            return Ok(None);
        }
        // An engine that does not change the policy runs the container all the same.
        if let Err(fault) = self.take_policy_back(&name, &account).await {
            warn!(
                container = name,
                error = &fault as &dyn Error,
                "the engine keeps the restart policy that somebody gave to the container; take it back with \
                 `docker update --restart no`"
            );
        }
        if network.was_left_by(&account) {
            self.end(&name, &found.reference).await?;
            return self.start(container, &found.reference, wired).await.map(Some);
        }
        let running = match (status, &found.state) {
            (Some(Status::PAUSED), _) => self.unpause(&name, found).await?,
            (_, FoundState::Running(_)) => found,
            (_, FoundState::Created) => self.start_first(container, files, &found.reference, wired).await?,
            _ => self.start(container, &found.reference, wired).await?,
        };
        Ok(Some(running))
    }

    /// Lets the processes of a container go on.
    pub(crate) async fn unpause(&self, name: &str, found: Found) -> Result<Found, EngineError> {
        let reference = &found.reference;
        let unpause = self
            .connection
            .ask(|docker| async move { docker.unpause_container(reference).await });
        unpause
            .await
            .map_err(|error| self.connection.explain("unpause", name, error))?;
        let state = match found.state {
            FoundState::Paused(running) => FoundState::Running(running),
            state => state,
        };
        Ok(Found { state, ..found })
    }
}

/// Makes the engine create a container, and waits for that even if the caller is gone. Then releases the lock. Returns
/// the engine's name for the container.
async fn create(
    connection: Arc<Connection>,
    name: String,
    body: ContainerCreateBody,
    turn: Turn,
) -> Result<String, ApiError> {
    let creation = tokio::spawn(async move {
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let created = connection
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
        Err(ApiError::IOError {
            err: std::io::Error::other(fault),
        })
    })
}

/// It was there a moment ago.
fn gone(name: &str) -> EngineError {
    EngineError::Failed {
        verb: "start",
        subject: name.to_owned(),
        reason: "it was removed while it was starting".to_owned(),
    }
}

/// Somebody else's container goes by the name that ours would have.
fn stranger(name: &str) -> EngineError {
    EngineError::Refused {
        verb: "create",
        subject: name.to_owned(),
        reason: "a container of that name is there and is not ours; remove or rename it".to_owned(),
    }
}

/// Whether an image is named by its id, which never means another image.
fn is_id(image: &str) -> bool {
    let digest = image.strip_prefix("sha256:");
    digest.is_some_and(|digest| digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether a container of that name exists. Podman 4 reports this only in words.
fn is_name_taken(error: &ApiError) -> bool {
    match error {
        ApiError::DockerResponseServerError { status_code, message } => {
            *status_code == CONFLICT || message.contains("name is already in use")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_digest_is_an_id() {
        let digest = "b".repeat(64);
        assert!(is_id(&format!("sha256:{digest}")));
        for name in [
            digest.as_str(),
            "sha256:b",
            "web",
            &format!("web@sha256:{digest}"),
            &format!("sha256:{}", "x".repeat(64)),
        ] {
            assert!(!is_id(name), "{name}");
        }
    }

    #[test]
    fn a_taken_name_is_told_by_status_or_in_words() {
        let answered = |status_code, message: &str| ApiError::DockerResponseServerError {
            status_code,
            message: message.to_owned(),
        };
        let podman = "container create: creating container storage: the container name \"x\" is already in use by 5015f. \
                      You have to remove that container to be able to reuse that name: that name is already in use";
        assert!(is_name_taken(&answered(409, "Conflict.")));
        assert!(is_name_taken(&answered(500, podman)));
        assert!(!is_name_taken(&answered(500, "no space left on device")));
        assert!(!is_name_taken(&ApiError::RequestTimeoutError));
    }
}
