//! What the API asks of the daemon about that which runs in instances.

use std::path::Path;

use async_trait::async_trait;
use orchestrator_model::{ByteStream, Container, ExecRequest, ExecSession, Instance, LogRequest, OutputStream, Stats};

use super::ControlError;
use super::caller::Caller;

/// The API's requests about what runs in instances. Each ends when it is dropped.
///
/// # Errors
///
/// [`ControlError::Engine`] when the engine refuses, fails, does not answer or cannot do it, or the container does not
/// run.
#[async_trait]
pub trait RunControl: Send + Sync + 'static {
    /// Runs a command in a container, and records that in the timeline.
    async fn exec(
        &self,
        by: &Caller,
        instance: &Instance,
        container: &Container,
        request: &ExecRequest,
    ) -> Result<ExecSession, ControlError>;

    /// Unpacks a tar archive into an absolute directory of a container.
    async fn put_files(
        &self,
        instance: &Instance,
        container: &Container,
        directory: &Path,
        archive: ByteStream,
    ) -> Result<(), ControlError>;

    /// The output of a container.
    async fn logs(
        &self,
        instance: &Instance,
        container: &Container,
        request: &LogRequest,
    ) -> Result<OutputStream, ControlError>;

    /// Measures once what a running container uses.
    async fn stats(&self, instance: &Instance, container: &Container) -> Result<Stats, ControlError>;
}
