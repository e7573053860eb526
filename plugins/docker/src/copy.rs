//! Files into and out of a container.

use std::io;
use std::path::Path;

use bollard::query_parameters::{DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use orchestrator_plugin::{ByteStream, Container, EngineError, File};

use crate::DockerEngine;
use crate::archive::archive;
use crate::errors::{ApiError, NOT_FOUND, status};

/// The archive of the files of a specification; `None` when there are none. People know the container by `name`.
///
/// # Errors
///
/// [`EngineError::Refused`] when one of them cannot be written.
pub(crate) fn archive_of(name: &str, files: &[File]) -> Result<Option<Bytes>, EngineError> {
    if files.is_empty() {
        return Ok(None);
    }
    let archive = archive(files).map_err(|reason| EngineError::Refused {
        verb: "write files into",
        subject: name.to_owned(),
        reason,
    })?;
    Ok(Some(archive.into()))
}

impl DockerEngine {
    /// Writes the files of a specification into a container that was not started yet. Asks the engine only when there
    /// are any.
    pub(crate) async fn put_files(
        &self,
        name: &str,
        reference: &str,
        archive: Option<&Bytes>,
    ) -> Result<(), EngineError> {
        let Some(archive) = archive else {
            return Ok(());
        };
        let options = UploadToContainerOptionsBuilder::new().path("/").build();
        let body = bollard::body_full(archive.clone());
        let upload = self
            .connection
            .ask(|docker| async move { docker.upload_to_container(reference, Some(options), body).await });
        upload
            .await
            .map_err(|error| self.connection.explain("write files into", name, error))
    }

    /// The archive of a file or directory inside.
    pub(crate) async fn read_archive(&self, container: &Container, path: &Path) -> Result<ByteStream, EngineError> {
        let (name, reference) = self.existing(container, "read files of").await?;
        let options = DownloadFromContainerOptionsBuilder::new()
            .path(&path.to_string_lossy())
            .build();
        let connection = self.connection.clone();
        let explain = move |error: ApiError| match status(&error) {
            Some(NOT_FOUND) => EngineError::Refused {
                verb: "read files of",
                subject: name.clone(),
                reason: error.to_string(),
            },
            _ => connection.explain("read files of", &name, error),
        };
        let docker = self.connection.connect().map_err(&explain)?;
        let mut chunks = Box::pin(
            docker
                .download_from_container(&reference, Some(options))
                .map_err(explain),
        );
        // A path that is not there is known before the first byte.
        let first: Option<Bytes> = chunks.try_next().await?;
        Ok(Box::pin(stream::iter(first.map(Ok)).chain(chunks)))
    }

    /// Unpacks an archive into a directory inside.
    pub(crate) async fn write_archive(
        &self,
        container: &Container,
        directory: &Path,
        archive: ByteStream,
    ) -> Result<(), EngineError> {
        let (name, reference) = self.existing(container, "write files into").await?;
        let options = UploadToContainerOptionsBuilder::new()
            .path(&directory.to_string_lossy())
            .build();
        let body = bollard::body_try_stream(archive.map_err(io::Error::other));
        // As long as it takes: how much comes is the caller's affair.
        let docker = self.connection.connect();
        let docker = docker.map_err(|error| self.connection.explain("write files into", &name, error))?;
        match docker.upload_to_container(&reference, Some(options), body).await {
            Ok(()) => Ok(()),
            Err(error) if status(&error) == Some(NOT_FOUND) => Err(EngineError::Refused {
                verb: "write files into",
                subject: name,
                reason: error.to_string(),
            }),
            Err(error) => Err(self.connection.explain("write files into", &name, error)),
        }
    }

    /// The engine's names for the container, whether it runs or not.
    pub(crate) async fn existing(
        &self,
        container: &Container,
        verb: &'static str,
    ) -> Result<(String, String), EngineError> {
        let name = container.key.engine_name();
        match self.find_ours(container).await? {
            Some(ours) => Ok((name, ours.found.reference)),
            None => Err(EngineError::NotRunning { verb, subject: name }),
        }
    }
}
