//! Runs containers by `runc`, through the helper `orchestrator-oci`.
//!
//! The daemon may neither mount nor make namespaces. So a helper with a unit of its own does all of it, and this plugin
//! asks it over a unix socket: one request for each verb, which the helper carries out to its end even when the daemon is
//! gone. `protocol` is what the two say to each other.
//!
//! Invariants:
//!
//! - Nothing of the helper is remembered between calls but that it speaks our version of the protocol.
//! - A request that makes a container is waited for to its end, and a removal waits for it.
//! - Every call has a limit, except for streams.

mod connect;
mod early;
mod exec;
mod lines;
pub mod protocol;
mod pull;
mod settings;
mod streams;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use orchestrator_plugin::{
    ByteStream, Capabilities, Capability, Change, Container, ContainerSpec, Creations, DiskUse, Engine, EngineError,
    EngineFacts, ExecRequest, ExecSession, Found, Image, ImageFacts, LogRequest, Mark, NetworkMode, OutputStream,
    PullProgress, PullRequest, Stats,
};
use tokio::sync::{Semaphore, mpsc, oneshot};

use connect::Connection;
use protocol::{
    DiskAnswer, EnsureRequest, EnvironmentRequest, Facts, FoundAnswer, ImageAnswer, ImageEntry, ImageRequest,
    LogBounds, Network, SiteRequest, StatsAnswer, TargetRequest,
};
pub use settings::{OciKind, OciSettings};

/// The engine behind one helper.
#[derive(Debug)]
pub struct OciEngine {
    name: String,
    connection: Arc<Connection>,
    mark: Mark,
    prepared: bool,
    log: LogBounds,
    creations: Creations,
    /// Registries that are reached without TLS.
    http_registries: Vec<String>,
    /// A permit for each creation and start under way.
    starts: Arc<Semaphore>,
}

impl OciEngine {
    /// The engine of `settings`, which templates call `name`. What it makes bears `mark`.
    ///
    /// Touches nothing: the calls report a helper that is not there yet.
    pub fn new(name: impl Into<String>, settings: OciSettings, mark: Mark) -> Self {
        Self {
            name: name.into(),
            connection: Arc::new(Connection::new(settings.socket, settings.timeout)),
            mark,
            prepared: settings.prepared,
            log: settings.log,
            http_registries: settings.http_registries,
            creations: Creations::default(),
            starts: Arc::new(Semaphore::new(settings.starts.max(1))),
        }
    }

    /// What is asked for a container that is to run.
    fn question(
        &self,
        container: &Container,
        spec: &ContainerSpec,
        network: &NetworkMode,
    ) -> Result<EnsureRequest, EngineError> {
        let needed = spec.needs().with(network.capability());
        self.capabilities().require(&self.name, needed)?;
        Ok(EnsureRequest {
            site: self.mark.site,
            container: container.into(),
            spec: spec.clone(),
            network: Network::of(&self.name, network)?,
            log: self.log,
        })
    }

    /// Starts a container in its turn. That is waited for to its end even when nobody waits for it any more.
    async fn to_its_end<S>(
        &self,
        container: &Container,
        start: impl FnOnce(Arc<Connection>) -> S,
    ) -> Result<Found, EngineError>
    where
        S: Future<Output = Result<FoundAnswer, EngineError>> + Send + 'static,
    {
        // Never closed, so that there is always a permit to wait for.
        let permit = self.starts.clone().acquire_owned().await.ok();
        let turn = self.creations.turn(&container.key).await;
        let starting = start(self.connection.clone());
        let ensuring = tokio::spawn(async move {
            let _under_way = (permit, turn);
            starting.await
        });
        let ensured = ensuring.await.unwrap_or_else(|fault| {
            Err(EngineError::Failed {
                verb: "start",
                subject: container.key.engine_name(),
                reason: fault.to_string(),
            })
        });
        Ok(ensured?.into())
    }

    fn target(&self, container: &Container) -> TargetRequest {
        TargetRequest {
            site: self.mark.site,
            container: container.into(),
        }
    }

    /// Waits until no creation of this container is under way, and keeps new ones from beginning.
    async fn turn(&self, container: &Container) -> Result<orchestrator_plugin::Turn, EngineError> {
        let turn = tokio::time::timeout(self.connection.timeout(), self.creations.turn(&container.key)).await;
        turn.map_err(|_| EngineError::Timeout {
            engine: self.connection.place(),
            verb: "finish creating",
            seconds: self.connection.timeout().as_secs(),
        })
    }
}

#[async_trait]
impl Engine for OciEngine {
    fn name(&self) -> &str {
        &self.name
    }

    /// It has no networks of its own, and runs no virtual machines.
    fn capabilities(&self) -> Capabilities {
        let all = Capabilities::all()
            .without(Capability::EnginePort)
            .without(Capability::Tap);
        match self.prepared {
            true => all,
            false => all.without(Capability::PreparedNamespace),
        }
    }

    async fn check(&self) -> Result<EngineFacts, EngineError> {
        let version = self.connection.negotiate().await?;
        Ok(EngineFacts {
            name: format!("orchestrator-oci with {}", version.runtime),
            version: version.helper,
        })
    }

    async fn check_equipment(&self) -> Result<(), EngineError> {
        let facts: Facts = self.connection.ask("check", "/v1/equipment", &()).await?;
        tracing::debug!(
            engine = self.name,
            cgroups = facts.cgroups,
            "the helper has what it needs"
        );
        Ok(())
    }

    async fn check_image(&self, image: &str) -> Result<ImageFacts, EngineError> {
        let question = ImageRequest {
            image: image.to_owned(),
        };
        let answer: ImageAnswer = self.connection.ask("find an image", "/v1/image", &question).await?;
        Ok(ImageFacts {
            id: answer.id,
            has_health_check: answer.has_health_check,
        })
    }

    async fn ensure(
        &self,
        container: &Container,
        spec: &ContainerSpec,
        network: &NetworkMode,
    ) -> Result<Found, EngineError> {
        let question = self.question(container, spec, network)?;
        self.to_its_end(container, move |connection| async move {
            connection.ask("start", "/v1/ensure", &question).await
        })
        .await
    }

    async fn ensure_wired_early(
        &self,
        container: &Container,
        spec: &ContainerSpec,
        namespace: oneshot::Sender<PathBuf>,
    ) -> Result<Found, EngineError> {
        let question = self.question(container, spec, &NetworkMode::EngineNamespace)?;
        self.to_its_end(container, move |connection| {
            early::ensure(connection, question, namespace)
        })
        .await
    }

    async fn stop(&self, container: &Container) -> Result<(), EngineError> {
        self.connection.ask("stop", "/v1/stop", &self.target(container)).await
    }

    async fn find(&self, container: &Container) -> Result<Option<Found>, EngineError> {
        let question = self.target(container);
        let found: Option<FoundAnswer> = self.connection.ask("find", "/v1/find", &question).await?;
        Ok(found.map(Found::from))
    }

    async fn remove(&self, container: &Container) -> Result<(), EngineError> {
        // Until it is given back, nobody creates another.
        let _turn = self.turn(container).await?;
        self.connection
            .ask("remove", "/v1/remove", &self.target(container))
            .await
    }

    async fn list(&self) -> Result<Vec<Found>, EngineError> {
        let question = SiteRequest::from(self.mark);
        let listed: Vec<FoundAnswer> = self.connection.ask("list", "/v1/list", &question).await?;
        Ok(listed.into_iter().map(Found::from).collect())
    }

    async fn watch(&self, changes: mpsc::Sender<Change>) -> EngineError {
        self.watch_containers(changes).await
    }

    async fn environment(
        &self,
        container: &Container,
        prefix: &str,
    ) -> Result<Option<BTreeMap<String, String>>, EngineError> {
        let question = EnvironmentRequest {
            of: self.target(container),
            prefix: prefix.to_owned(),
        };
        self.connection.ask("find", "/v1/environment", &question).await
    }

    async fn exec(&self, container: &Container, request: &ExecRequest) -> Result<ExecSession, EngineError> {
        self.start_command(container, request).await
    }

    async fn logs(&self, container: &Container, request: &LogRequest) -> Result<OutputStream, EngineError> {
        self.read_log(container, request).await
    }

    async fn disk(&self, container: &Container) -> Result<DiskUse, EngineError> {
        let question = self.target(container);
        let answer: DiskAnswer = self.connection.ask("measure", "/v1/disk", &question).await?;
        Ok(answer.into())
    }

    async fn stats(&self, container: &Container) -> Result<Stats, EngineError> {
        let question = self.target(container);
        let answer: StatsAnswer = self.connection.ask("measure", "/v1/stats", &question).await?;
        Ok(answer.into())
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

    async fn load_images(&self, archive: ByteStream) -> Result<Vec<Image>, EngineError> {
        self.load(archive).await
    }

    async fn pull_image(
        &self,
        request: &PullRequest,
        progress: mpsc::Sender<PullProgress>,
    ) -> Result<Image, EngineError> {
        self.pull(request, progress).await
    }

    async fn images(&self) -> Result<Vec<Image>, EngineError> {
        let images: Vec<ImageEntry> = self.connection.ask("list images of", "/v1/images", &()).await?;
        Ok(images.into_iter().map(Image::from).collect())
    }

    async fn remove_image(&self, image: &str) -> Result<(), EngineError> {
        let question = ImageRequest {
            image: image.to_owned(),
        };
        self.connection.ask("remove", "/v1/images/remove", &question).await
    }

    async fn pause(&self, container: &Container) -> Result<(), EngineError> {
        self.connection
            .ask("freeze", "/v1/pause", &self.target(container))
            .await
    }
}
