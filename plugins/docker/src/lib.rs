//! Runs containers on a Docker Engine or on Podman, which both speak Docker's API.
//!
//! ```text
//!   list by label ┐
//!   inspect image ┴─▶ (made?) ─▶ create ─▶ (wired?) ─▶ (files) ─▶ start ─▶ inspect    ensure
//!     │ ours exists     │ 409: the name is taken
//!     └─▶ start it      └────▶ inspect ─▶ ours? start it · a stranger's? refuse
//!         unless it runs
//!
//!   wait for a creation under way, list by label ─▶ delete each by force             remove
//! ```
//!
//! Invariants:
//!
//! - The mark says whose a container is, never its name. The mark is made of labels, together with the image from which
//!   the container was created. If the caller recorded the engine's id, that must match, too. Any other container is a
//!   stranger's and is not changed.
//! - A container gets a name from its key when it is created. The engine refuses a second container with that name, so
//!   two calls for the same container cannot create two.
//! - A requested creation is always awaited, and a removal waits for it.
//! - Nothing about the engine is kept between calls. Each call connects again, so an engine may stop and come back.
//! - Every call has a limit, except for streams and images. Nothing here pulls an image, makes a network or restarts a
//!   container on its own.
//! - Only requests that both Docker 20.10 and Podman support are made. Their differences are in `dialect`.
//! - No request names a version of the API.

mod archive;
mod connect;
mod container;
mod copy;
mod dialect;
mod disk;
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
mod wired;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use orchestrator_plugin::{
    ByteStream, Capabilities, Change, Container, ContainerSpec, Creations, DiskUse, Engine, EngineError, EngineFacts,
    ExecRequest, ExecSession, Found, Image, ImageFacts, LogRequest, Mark, NetworkMode, OutputStream, Preparing,
    PullProgress, PullRequest, Stats,
};
use tokio::sync::{RwLock, Semaphore, mpsc};

use connect::Connection;
pub use connect::{Host, HostError};
pub use dialect::Dialect;
pub use log::LogLimit;
pub use settings::{DockerKind, DockerSettings, PodmanKind};
use wired::Wired;

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
    /// The engine with these settings, which templates call `name`. Everything that it makes carries `mark`.
    ///
    /// This does not contact the engine. If the engine does not exist yet, the calls report it.
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

    /// Checks that the engine has all these capabilities.
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

    async fn ping(&self) -> Result<(), EngineError> {
        self.connection.ping().await
    }

    async fn check_equipment(&self) -> Result<(), EngineError> {
        self.connection.check_equipment().await
    }

    async fn data_directory(&self) -> Result<Option<PathBuf>, EngineError> {
        self.connection.data_directory().await
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
        self.ensure_container(container, spec, network, Wired::already()).await
    }

    async fn ensure_once_wired(
        &self,
        container: &Container,
        spec: &ContainerSpec,
        namespace: Preparing,
    ) -> Result<Found, EngineError> {
        let network = NetworkMode::Prepared(namespace.path().to_owned());
        self.ensure_container(container, spec, &network, Wired::when(namespace))
            .await
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

    async fn disk(&self, container: &Container) -> Result<DiskUse, EngineError> {
        self.measure_disk(container).await
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
