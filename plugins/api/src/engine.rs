//! The trait of engines.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use crate::{
    ByteStream, Capabilities, Capability, Container, ContainerKey, ContainerSpec, DiskUse, EngineError, EngineFacts,
    ExecRequest, ExecSession, Found, Image, ImageFacts, LogRequest, NetworkMode, OutputStream, Preparing, PullProgress,
    PullRequest, Stats,
};

/// A change of a container that the plugin itself did not just make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This container started, ended or was removed: find it again.
    Container(ContainerKey),
    /// The watch started (again). Anything may have changed before: list all containers.
    Everything,
}

/// Runs containers on one host.
///
/// # Ownership
///
/// Verbs that take a [`Container`] act on it only if it carries the plugin's [`Mark`](crate::Mark) and is the one that
/// [`Container::reference`] identifies. Any other container is a stranger's, even with the name that ours would have:
/// it is neither found nor changed.
///
/// # Cancellation
///
/// Any call may be dropped half-way. A request that it sent to the engine may still be carried out; the next call of
/// the same verb finds the result and continues from there. A removal waits for a creation whose call was dropped, so
/// that nothing outlives the removal.
///
/// # Missing capabilities
///
/// The verbs from [`environment`](Self::environment) on, every [`NetworkMode`] but one and some parts of a
/// [`ContainerSpec`] need a [`Capability`]. Without it a call fails with [`EngineError::Unsupported`] and changes
/// nothing. The suite in `plugins/conformance` checks an engine against its capabilities.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// The name by which templates choose this engine.
    fn name(&self) -> &str;

    /// Its capabilities, as far as they are known. They never change while the engine is in use.
    fn capabilities(&self) -> Capabilities;

    /// Asks for the capabilities, where the engine must be asked. Until then [`capabilities`](Self::capabilities) has none.
    async fn learn_capabilities(&self) -> Result<Capabilities, EngineError> {
        Ok(self.capabilities())
    }

    /// Checks that the engine answers and that this plugin supports it.
    async fn check(&self) -> Result<EngineFacts, EngineError>;

    /// Checks that the engine answers, as cheaply as it can. It is asked every few seconds.
    async fn ping(&self) -> Result<(), EngineError> {
        self.check().await.map(drop)
    }

    /// Checks that the engine has what every container needs besides images, such as an init program.
    async fn check_equipment(&self) -> Result<(), EngineError>;

    /// The directory in which the engine keeps images and containers, as a path of this machine; `None` if it does not
    /// say.
    async fn data_directory(&self) -> Result<Option<PathBuf>, EngineError> {
        Ok(None)
    }

    /// Checks that the engine has `image`, by a name or an id.
    async fn check_image(&self, image: &str) -> Result<ImageFacts, EngineError>;

    /// Makes sure that the container exists and runs. Creates and starts it if necessary.
    ///
    /// An existing container is started as it was made: `spec` and `network` are used only to create one. The caller
    /// records the returned reference.
    async fn ensure(
        &self,
        container: &Container,
        spec: &ContainerSpec,
        network: &NetworkMode,
    ) -> Result<Found, EngineError>;

    /// Does what [`ensure`](Self::ensure) does with [`NetworkMode::EngineNamespace`], and says where the network namespace
    /// is as soon as it is there, perhaps long before the first process runs. The caller wires it meanwhile.
    ///
    /// An engine sends a path only if this call starts the container's first process: if [`Found`] has the same namespace,
    /// the caller does not ask again whether it runs. If the engine drops `namespace` without sending, there is no namespace
    /// before the container runs, or it runs already. The path is good until the call returns; afterwards [`Found`] has
    /// another for the same namespace.
    async fn ensure_wired_early(
        &self,
        container: &Container,
        spec: &ContainerSpec,
        namespace: oneshot::Sender<PathBuf>,
    ) -> Result<Found, EngineError> {
        drop(namespace);
        self.ensure(container, spec, &NetworkMode::EngineNamespace).await
    }

    /// Does what [`ensure`](Self::ensure) does with [`NetworkMode::Prepared`], for a namespace that the caller makes and
    /// wires meanwhile. The engine may create the container as soon as the namespace is [made](Preparing::made). Its first
    /// process starts only when it is [wired](Preparing::wired).
    ///
    /// An engine that knows early says that it [started](Preparing::started) the container, and then finds out the rest of
    /// its answer.
    ///
    /// # Errors
    ///
    /// [`EngineError::Failed`] if the caller gives up before the namespace is wired: nothing was started.
    async fn ensure_once_wired(
        &self,
        container: &Container,
        spec: &ContainerSpec,
        mut namespace: Preparing,
    ) -> Result<Found, EngineError> {
        namespace.wired(&container.key).await?;
        self.ensure(container, spec, &NetworkMode::Prepared(namespace.path().into()))
            .await
    }

    /// Makes sure that the container does not run. Its files are kept, and [`ensure`](Self::ensure) starts it again.
    ///
    /// Its first process gets SIGTERM, and SIGKILL if it has not ended a few seconds later. Stopping a container that
    /// does not run or does not exist succeeds.
    async fn stop(&self, container: &Container) -> Result<(), EngineError>;

    /// Finds a container; `None` if the engine has none of ours for it.
    async fn find(&self, container: &Container) -> Result<Option<Found>, EngineError>;

    /// Makes sure that the container is gone, with its anonymous volumes. Removing a container that does not exist
    /// succeeds.
    async fn remove(&self, container: &Container) -> Result<(), EngineError>;

    /// All containers that carry our mark, in any state, the oldest first.
    ///
    /// Copies that somebody made of our containers are among them, so that several may have one key. The caller
    /// recognizes its own by the recorded references.
    async fn list(&self) -> Result<Vec<Found>, EngineError>;

    /// Sends changes that others make until the engine's stream breaks, and returns the reason.
    ///
    /// Sends [`Change::Everything`] as soon as the watch has begun, so that no change between two watches is lost.
    async fn watch(&self, changes: mpsc::Sender<Change>) -> EngineError;

    /// The environment variables with which a container was made and whose names begin with `prefix`; `None` if there
    /// is no such container of ours. Needs [`Capability::Environment`].
    async fn environment(
        &self,
        _container: &Container,
        _prefix: &str,
    ) -> Result<Option<BTreeMap<String, String>>, EngineError> {
        Err(self.unsupported(Capability::Environment))
    }

    /// Runs a command in a running container. Needs [`Capability::Exec`], and [`Capability::ExecTerminal`] if the
    /// request has a terminal.
    ///
    /// A missing program is an exit code (126 or 127) or [`EngineError::Refused`], depending on the engine.
    async fn exec(&self, _container: &Container, _request: &ExecRequest) -> Result<ExecSession, EngineError> {
        Err(self.unsupported(Capability::Exec))
    }

    /// The output of the container: its standard output and error. Needs [`Capability::Logs`].
    async fn logs(&self, _container: &Container, _request: &LogRequest) -> Result<OutputStream, EngineError> {
        Err(self.unsupported(Capability::Logs))
    }

    /// Measures the resource usage of a running container. Needs [`Capability::Stats`].
    async fn stats(&self, _container: &Container) -> Result<Stats, EngineError> {
        Err(self.unsupported(Capability::Stats))
    }

    /// Measures what a container wrote into its file system, outside of its volumes. Needs [`Capability::Disk`]. Works
    /// whether the container runs or not.
    async fn disk(&self, _container: &Container) -> Result<DiskUse, EngineError> {
        Err(self.unsupported(Capability::Disk))
    }

    /// Reads the file or directory at an absolute path inside, as a tar archive whose entries begin with the last part
    /// of the path. Needs [`Capability::Copy`]. Works whether the container runs or not.
    async fn read_files(&self, _container: &Container, _path: &Path) -> Result<ByteStream, EngineError> {
        Err(self.unsupported(Capability::Copy))
    }

    /// Unpacks a tar archive into the directory at an absolute path inside, which must exist. Needs
    /// [`Capability::Copy`]. Works whether the container runs or not.
    async fn write_files(
        &self,
        _container: &Container,
        _directory: &Path,
        _archive: ByteStream,
    ) -> Result<(), EngineError> {
        Err(self.unsupported(Capability::Copy))
    }

    /// Freezes the processes of a running container; [`ensure`](Self::ensure) resumes them. Needs
    /// [`Capability::Pause`]. Pausing a paused container succeeds.
    async fn pause(&self, _container: &Container) -> Result<(), EngineError> {
        Err(self.unsupported(Capability::Pause))
    }

    /// Loads the images of a tar archive, in Docker's layout (`docker save`) or in OCI's. Needs [`Capability::Images`].
    ///
    /// Returns all images of the archive. Loading an image that is already there succeeds. There is no time limit: the
    /// caller ends the call by dropping it.
    async fn load_images(&self, _archive: ByteStream) -> Result<Vec<Image>, EngineError> {
        Err(self.unsupported(Capability::Images))
    }

    /// Fetches an image from its registry and returns it. Needs [`Capability::Pull`].
    ///
    /// Sends each step to `progress`; a step that finds no room there is left out. There is no time limit: the caller
    /// ends the call by dropping it. An image that the registry does not have is [`EngineError::ImageMissing`], and one
    /// that this user may not have is [`EngineError::Refused`]; some registries do not distinguish the two.
    async fn pull_image(
        &self,
        _request: &PullRequest,
        _progress: mpsc::Sender<PullProgress>,
    ) -> Result<Image, EngineError> {
        Err(self.unsupported(Capability::Pull))
    }

    /// All images of the engine, whoever brought them. Needs [`Capability::Images`].
    async fn images(&self) -> Result<Vec<Image>, EngineError> {
        Err(self.unsupported(Capability::Images))
    }

    /// Removes a name from its image, and the image with its last name; or, by its id, an image with all its names.
    /// Needs [`Capability::Images`]. Removing an image that does not exist succeeds.
    ///
    /// An image that a container uses is not removed: the call fails with [`EngineError::Refused`].
    async fn remove_image(&self, _image: &str) -> Result<(), EngineError> {
        Err(self.unsupported(Capability::Images))
    }

    /// The error of a call for which the engine lacks the capability.
    fn unsupported(&self, capability: Capability) -> EngineError {
        EngineError::Unsupported {
            engine: self.name().to_owned(),
            capability,
        }
    }
}
