//! The engine's images: loads, fetches, lists and removes them.

use std::collections::HashMap;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::auth::DockerCredentials;
use bollard::models::{BuildInfo, CreateImageInfo, ImageInspect, ImageSummary};
use bollard::query_parameters::{
    CreateImageOptionsBuilder, ImportImageOptions, ListImagesOptionsBuilder, RemoveImageOptions,
};
use futures_util::{StreamExt, TryStreamExt};
use orchestrator_plugin::{ByteStream, EngineError, Image, PullProgress, PullRequest};
use tokio::sync::{RwLockWriteGuard, mpsc};

use crate::errors::{ApiError, CONFLICT, NOT_FOUND, status};
use crate::{Dialect, DockerEngine};

/// The text that the engine writes before the name or id of a loaded image.
const LOADED: [&str; 2] = ["Loaded image ID: ", "Loaded image: "];

/// The name for "no name".
const NONE: &str = "<none>";

impl DockerEngine {
    /// Loads the images of an archive.
    pub(crate) async fn load_archive(&self, archive: ByteStream) -> Result<Vec<Image>, EngineError> {
        let explain = |error| self.connection.explain("load", "an archive of images", error);
        let _shared = self.images.read().await;
        let docker = self.connection.connect_patiently().map_err(explain)?;
        let body = bollard::body_try_stream(archive.map_err(io::Error::other));
        let mut answers = docker.import_image(ImportImageOptions::default(), body, None);
        let mut loaded = Vec::new();
        while let Some(answer) = answers.next().await {
            let answer = answer.map_err(|error| refused_stream("load", "an archive of images", error, explain))?;
            loaded.extend(loaded_images(&answer));
        }
        if loaded.is_empty() {
            return Err(EngineError::Refused {
                verb: "load",
                subject: "an archive of images".to_owned(),
                reason: "it holds no image; write it with docker save, or as an OCI layout".to_owned(),
            });
        }
        let mut images: Vec<Image> = Vec::new();
        for name in loaded {
            let image = self.image(&name).await?;
            if !images.iter().any(|other| other.id == image.id) {
                images.push(image);
            }
        }
        Ok(images)
    }

    /// Fetches an image from its registry.
    pub(crate) async fn fetch_image(
        &self,
        request: &PullRequest,
        progress: mpsc::Sender<PullProgress>,
    ) -> Result<Image, EngineError> {
        let reference = &request.reference;
        let explain = |error| self.connection.explain("fetch image", reference, error);
        let docker = self.connection.connect_patiently().map_err(explain)?;
        let full = with_tag(reference);
        let options = CreateImageOptionsBuilder::new().from_image(&full).build();
        let credentials = request.credentials.as_ref().map(|credentials| DockerCredentials {
            username: Some(credentials.user.clone()),
            password: Some(credentials.password.clone()),
            ..DockerCredentials::default()
        });
        let mut steps = docker.create_image(Some(options), None, credentials);
        while let Some(step) = steps.next().await {
            let step = step.map_err(|error| pull_fault(reference, error, explain))?;
            // A step that finds no room is left out.
            let _ = progress.try_send(progress_of(step));
        }
        self.image(&full).await
    }

    /// Every image of the engine.
    pub(crate) async fn list_images(&self) -> Result<Vec<Image>, EngineError> {
        let options = ListImagesOptionsBuilder::new().build();
        let listed = self
            .connection
            .ask(|docker| async move { docker.list_images(Some(options)).await })
            .await;
        let listed = listed.map_err(|error| self.connection.explain("list", "images", error))?;
        Ok(listed.into_iter().map(of_summary).collect())
    }

    /// Removes a name, or an image with all its names.
    pub(crate) async fn remove_image_of(&self, image: &str) -> Result<(), EngineError> {
        let _alone = match self.connection.dialect() {
            Dialect::Docker => None,
            Dialect::Podman => Some(self.wait_for_loads(image).await?),
        };
        let found = match self.image(image).await {
            Ok(found) => found,
            Err(EngineError::ImageMissing { .. }) => return Ok(()),
            Err(fault) => return Err(fault),
        };
        let is_id = image == found.id || found.id.strip_prefix("sha256:") == Some(image);
        if !is_id && found.names.len() > 1 {
            return self.forget_image(image).await;
        }
        self.refuse_if_used(image, &found.id).await?;
        if !is_id || found.names.is_empty() {
            return self.forget_image(image).await;
        }
        // The image goes with its last name. The engine refuses to remove one with several by its id.
        for name in &found.names {
            self.forget_image(name).await?;
        }
        Ok(())
    }

    /// Waits, within the limit for one call, until no images are being loaded.
    async fn wait_for_loads(&self, image: &str) -> Result<RwLockWriteGuard<'_, ()>, EngineError> {
        let alone = tokio::time::timeout(self.connection.timeout(), self.images.write()).await;
        alone.map_err(|_| EngineError::Failed {
            verb: "remove image",
            subject: image.to_owned(),
            reason: "an archive of images is being loaded; try again when it is loaded".to_owned(),
        })
    }

    /// Fails when a container uses the image. The engine itself only refuses the last of several removals.
    async fn refuse_if_used(&self, image: &str, id: &str) -> Result<(), EngineError> {
        let filters = HashMap::from([("ancestor".to_owned(), vec![id.to_owned()])]);
        let users = self.listed(filters).await?;
        let user = users.into_iter().find(|user| user.image_id.as_deref() == Some(id));
        match user {
            None => Ok(()),
            Some(user) => {
                let name = user.names.and_then(|names| names.into_iter().next()).or(user.id);
                let name = name.unwrap_or_default();
                Err(is_used(
                    image,
                    &format!("container {} uses it", name.trim_start_matches('/')),
                ))
            }
        }
    }

    async fn forget_image(&self, image: &str) -> Result<(), EngineError> {
        let removed = self
            .connection
            .ask(|docker| async move { docker.remove_image(image, None::<RemoveImageOptions>, None).await })
            .await;
        match removed {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(NOT_FOUND) => Ok(()),
            Err(ApiError::DockerResponseServerError {
                status_code: CONFLICT,
                message,
            }) => Err(is_used(image, &message)),
            Err(error) => Err(self.connection.explain("remove image", image, error)),
        }
    }

    async fn image(&self, name: &str) -> Result<Image, EngineError> {
        let found = self
            .connection
            .ask(|docker| async move { docker.inspect_image(name).await })
            .await;
        match found {
            Ok(found) => Ok(of_inspection(found)),
            Err(error) if status(&error) == Some(NOT_FOUND) => {
                Err(EngineError::ImageMissing { image: name.to_owned() })
            }
            Err(error) => Err(self.connection.explain("inspect image", name, error)),
        }
    }
}

fn is_used(image: &str, reason: &str) -> EngineError {
    EngineError::Refused {
        verb: "remove image",
        subject: image.to_owned(),
        reason: reason.to_owned(),
    }
}

/// The error of a step that the engine reports in the middle of its answer. It has no status there: it has tried, and
/// what it was given is at fault.
fn refused_stream(
    verb: &'static str,
    subject: &str,
    error: ApiError,
    explain: impl FnOnce(ApiError) -> EngineError,
) -> EngineError {
    match error {
        ApiError::DockerStreamError { error: reason }
        | ApiError::DockerResponseServerError {
            status_code: 500,
            message: reason,
        } => EngineError::Refused {
            verb,
            subject: subject.to_owned(),
            reason,
        },
        other => explain(other),
    }
}

/// The error of a pull. Engines differ in the status, and agree in what the registry said.
fn pull_fault(reference: &str, error: ApiError, explain: impl FnOnce(ApiError) -> EngineError) -> EngineError {
    let reason = match &error {
        ApiError::DockerStreamError { error } => error,
        ApiError::DockerResponseServerError { message, .. } => message,
        _ => return explain(error),
    };
    let has = |words: &[&str]| words.iter().any(|word| reason.to_ascii_lowercase().contains(word));
    if has(&["manifest unknown", "not found", "name unknown"]) {
        return EngineError::ImageMissing {
            image: reference.to_owned(),
        };
    }
    let (verb, subject, reason) = ("fetch image", reference.to_owned(), reason.clone());
    match has(&["unauthorized", "denied", "authentication required", "no basic auth"]) {
        true => EngineError::Refused { verb, subject, reason },
        false => EngineError::Failed { verb, subject, reason },
    }
}

/// The names or ids that the engine says it has loaded. Podman writes all names of an image in one line.
fn loaded_images(answer: &BuildInfo) -> Vec<String> {
    let text = answer.stream.as_deref().unwrap_or_default();
    let lines = text.lines().filter_map(|line| {
        let mut words = LOADED.iter().filter_map(|words| line.trim().strip_prefix(words));
        words.next()
    });
    lines
        .flat_map(|names| names.split(','))
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

/// The reference with a tag: without one, the engine would fetch all tags that the registry has.
fn with_tag(reference: &str) -> String {
    let last = reference.rsplit('/').next().unwrap_or_default();
    match last.contains([':', '@']) {
        true => reference.to_owned(),
        false => format!("{reference}:latest"),
    }
}

fn progress_of(step: CreateImageInfo) -> PullProgress {
    let bytes = step.progress_detail.and_then(|detail| {
        let count = |number: Option<i64>| u64::try_from(number?).ok();
        Some((count(detail.current)?, count(detail.total)?))
    });
    PullProgress {
        part: step.id.filter(|id| !id.is_empty()),
        status: step.status.unwrap_or_default(),
        bytes,
    }
}

fn named(names: Vec<String>) -> Vec<String> {
    let is_name = |name: &String| !name.contains(NONE) && !name.is_empty();
    names.into_iter().filter(is_name).collect()
}

fn of_summary(image: ImageSummary) -> Image {
    let created = u64::try_from(image.created).ok();
    Image {
        id: with_algorithm(image.id),
        names: named(image.repo_tags),
        digests: named(image.repo_digests),
        size: u64::try_from(image.size).ok(),
        created: created.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds)),
        used: None,
    }
}

fn of_inspection(image: ImageInspect) -> Image {
    Image {
        id: with_algorithm(image.id.unwrap_or_default()),
        names: named(image.repo_tags.unwrap_or_default()),
        digests: named(image.repo_digests.unwrap_or_default()),
        size: image.size.and_then(|size| u64::try_from(size).ok()),
        created: image.created.map(SystemTime::from),
        used: None,
    }
}

/// Podman's inspection gives the bare digest.
fn with_algorithm(id: String) -> String {
    match id.contains(':') || id.is_empty() {
        true => id,
        false => format!("sha256:{id}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_loaded_is_read_from_either_engine_s_words() {
        let answered = |text: &str| {
            loaded_images(&BuildInfo {
                stream: Some(text.to_owned()),
                ..BuildInfo::default()
            })
        };
        assert_eq!(answered("Loaded image: web:1\n"), ["web:1"]);
        assert_eq!(answered("Loaded image ID: sha256:0a1b\n"), ["sha256:0a1b"]);
        assert_eq!(
            answered("Loaded image: localhost/a:1,localhost/b:2"),
            ["localhost/a:1", "localhost/b:2"]
        );
        assert!(answered("unpacking\n").is_empty());
    }

    #[test]
    fn a_reference_without_a_tag_is_latest() {
        for (reference, full) in [
            ("web", "web:latest"),
            ("host:5000/web", "host:5000/web:latest"),
            ("host:5000/web:1", "host:5000/web:1"),
            ("host/web@sha256:0a", "host/web@sha256:0a"),
        ] {
            assert_eq!(with_tag(reference), full);
        }
    }

    #[test]
    fn a_registry_s_refusals_are_told_apart() {
        let code = |message: &str| {
            let error = ApiError::DockerStreamError {
                error: message.to_owned(),
            };
            let fault = pull_fault("web", error, |error| panic!("{error}"));
            fault.code()
        };
        assert_eq!(
            code("manifest for web:latest not found: manifest unknown"),
            "image-missing"
        );
        assert_eq!(code("unauthorized: authentication required"), "engine-refused");
        assert_eq!(code("dial tcp: connection refused"), "engine-failed");
    }
}
