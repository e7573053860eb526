//! Runs containers on a Docker Engine or on Podman, which both speak Docker's API.
//!
//! ```text
//!   list by label ┐
//!   inspect image ┴─▶ create ─▶ (files) ─▶ start ─▶ inspect                          ensure
//!     │ ours exists     │ 409: the name is taken
//!     └─▶ start it      └────▶ inspect ─▶ ours? start it · a stranger's? refuse
//!         unless it runs
//!
//!   wait for a creation under way, list by label ─▶ delete each by force             remove
//! ```
//!
//! Invariants:
//!
//! - The mark says whose a container is, never its name: labels, together with the image that we created it from. Where
//!   the caller recorded the engine's id, that must match too. Anything else is a stranger's and stays untouched.
//! - A container is named after its key when it is created, and the engine's refusal of a second one of that name is
//!   what keeps two calls for the same container from making two.
//! - A creation that was asked for is watched to its end, and a removal waits for it.
//! - Nothing of the engine is remembered between calls: each connects anew, so that an engine may come, go and come back.
//! - Every call has a limit, except for streams and images. Nothing here pulls an image, makes a network or restarts a
//!   container on its own.
//! - Only what both Docker 20.10 and Podman answer is asked for. What differs between them is in `dialect`.
//! - No request names a version of the API.

mod archive;
mod connect;
mod container;
mod copy;
mod creations;
mod dialect;
mod ensure;
mod environment;
mod errors;
mod exec;
mod find;
mod image;
mod list;
mod log;
mod logs;
mod mark;
mod pause;
mod policy;
mod remove;
mod settings;
mod share;
mod stats;
mod stop;
mod terminal;
mod watch;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use orchestrator_plugin::{
    ByteStream, Capabilities, Change, Container, ContainerSpec, Engine, EngineError, EngineFacts, ExecRequest,
    ExecSession, Found, Image, ImageFacts, LogRequest, Mark, NetworkMode, OutputStream, PullProgress, PullRequest,
    Stats,
};
use tokio::sync::{RwLock, Semaphore, mpsc};

use connect::Connection;
pub use connect::{Host, HostError};
use creations::Creations;
pub use dialect::Dialect;
pub use log::LogLimit;
pub use settings::{DockerKind, DockerSettings, PodmanKind};

/// One Docker Engine or Podman behind one unix socket.
#[derive(Debug)]
pub struct DockerEngine {
    name: String,
    connection: Arc<Connection>,
    mark: Mark,
    log: LogLimit,
    creations: Creations,
    /// Read while images are loaded, written while one is removed: Podman fails to load an image while another one with
    /// the same layers is removed.
    images: RwLock<()>,
    /// A permit for each create and start under way.
    starts: Semaphore,
}

impl DockerEngine {
    /// The engine of `settings`, which templates call `name`. What it makes bears `mark`.
    ///
    /// Touches nothing: the calls report an engine that is not there yet.
    pub fn new(name: impl Into<String>, settings: DockerSettings, mark: Mark) -> Self {
        let DockerSettings {
            dialect,
            host,
            timeout,
            starts,
            log,
        } = settings;
        Self {
            name: name.into(),
            connection: Arc::new(Connection::new(dialect, host, timeout)),
            mark,
            log,
            creations: Creations::default(),
            images: RwLock::default(),
            starts: Semaphore::new(starts.max(1)),
        }
    }

    /// Checks that the engine can do all of this.
    fn require(&self, needed: Capabilities) -> Result<(), EngineError> {
        self.capabilities().require(&self.name, needed)
    }
}

#[async_trait]
impl Engine for DockerEngine {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        self.connection.dialect().capabilities()
    }

    async fn check(&self) -> Result<EngineFacts, EngineError> {
        self.connection.check().await
    }

    async fn check_equipment(&self) -> Result<(), EngineError> {
        self.connection.check_equipment().await
    }

    async fn check_image(&self, image: &str) -> Result<ImageFacts, EngineError> {
        self.connection.check_image(image).await
    }

    async fn ensure(
        &self,
        container: &Container,
        spec: &ContainerSpec,
        network: &NetworkMode,
    ) -> Result<Found, EngineError> {
        self.ensure_container(container, spec, network).await
    }

    async fn stop(&self, container: &Container) -> Result<(), EngineError> {
        self.stop_container(container).await
    }

    async fn find(&self, container: &Container) -> Result<Option<Found>, EngineError> {
        Ok(self.find_ours(container).await?.map(|ours| ours.found))
    }

    async fn remove(&self, container: &Container) -> Result<(), EngineError> {
        self.remove_containers(container).await
    }

    async fn list(&self) -> Result<Vec<Found>, EngineError> {
        self.list_containers().await
    }

    async fn watch(&self, changes: mpsc::Sender<Change>) -> EngineError {
        self.watch_containers(changes).await
    }

    async fn environment(
        &self,
        container: &Container,
        prefix: &str,
    ) -> Result<Option<BTreeMap<String, String>>, EngineError> {
        self.environment_of(container, prefix).await
    }

    async fn exec(&self, container: &Container, request: &ExecRequest) -> Result<ExecSession, EngineError> {
        self.start_command(container, request).await
    }

    async fn logs(&self, container: &Container, request: &LogRequest) -> Result<OutputStream, EngineError> {
        self.logs_of(container, request).await
    }

    async fn stats(&self, container: &Container) -> Result<Stats, EngineError> {
        self.measure(container).await
    }

    async fn read_files(&self, container: &Container, path: &Path) -> Result<ByteStream, EngineError> {
        self.read_archive(container, path).await
    }

    async fn write_files(
        &self,
        container: &Container,
        directory: &Path,
        archive: ByteStream,
    ) -> Result<(), EngineError> {
        self.write_archive(container, directory, archive).await
    }

    async fn pause(&self, container: &Container) -> Result<(), EngineError> {
        self.pause_container(container).await
    }

    async fn load_images(&self, archive: ByteStream) -> Result<Vec<Image>, EngineError> {
        self.load_archive(archive).await
    }

    async fn pull_image(
        &self,
        request: &PullRequest,
        progress: mpsc::Sender<PullProgress>,
    ) -> Result<Image, EngineError> {
        self.fetch_image(request, progress).await
    }

    async fn images(&self) -> Result<Vec<Image>, EngineError> {
        self.list_images().await
    }

    async fn remove_image(&self, image: &str) -> Result<(), EngineError> {
        self.remove_image_of(image).await
    }
}
