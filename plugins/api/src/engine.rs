//! The trait that every engine is reached by.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::{
    ByteStream, Capabilities, Capability, Container, ContainerKey, ContainerSpec, EngineError, EngineFacts,
    ExecRequest, ExecSession, Found, Image, ImageFacts, LogRequest, NetworkMode, OutputStream, PullProgress,
    PullRequest, Stats,
};

/// Something happened to a container and the plugin did not do it just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This container started, ended or was removed: ask for it again.
    Container(ContainerKey),
    /// The watch (re)started: anything may have happened before, ask for everything.
    Everything,
}

/// Runs containers on one host.
///
/// # Whose a container is
///
/// Verbs that take a [`Container`] act on it only when it bears the plugin's [`Mark`](crate::Mark) and is the one that
/// [`Container::reference`] stands for. Anything else is a stranger's, even under the name that ours would have: it is
/// neither found nor touched.
///
/// # Cancellation
///
/// Any call may be dropped half-way. What it had asked of the engine may still happen; the next call of the same verb
/// finds it and goes on from there. A removal waits for a creation that was dropped, so that nothing outlives it.
///
/// # What an engine cannot do
///
/// The verbs from [`environment`](Self::environment) on, every [`NetworkMode`] but one and some parts of a
/// [`ContainerSpec`] need a [`Capability`]. Without it a call fails with [`EngineError::Unsupported`] and changes
/// nothing. The suite in `plugins/conformance` holds an engine to what its capabilities say.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// The name by which templates choose this engine.
    fn name(&self) -> &str;

    /// Its capabilities. They never change while the engine is in use.
    fn capabilities(&self) -> Capabilities;

    /// Asks whether the engine answers and is one that this plugin can drive.
    async fn check(&self) -> Result<EngineFacts, EngineError>;

    /// Asks whether the engine has what every container needs of it besides images, such as an init program.
    async fn check_equipment(&self) -> Result<(), EngineError>;

    /// Asks whether `image`, by a name or by an id, is there to be started.
    async fn check_image(&self, image: &str) -> Result<ImageFacts, EngineError>;

    /// Makes sure that the container exists and runs; makes and starts it where it does not.
    ///
    /// A container that exists is started as it was made: `spec` and `network` count only when it is made. The caller
    /// records the reference that comes back.
    async fn ensure(
        &self,
        container: &Container,
        spec: &ContainerSpec,
        network: &NetworkMode,
    ) -> Result<Found, EngineError>;

    /// Makes sure that the container does not run, and keeps all that it wrote: [`ensure`](Self::ensure) starts it again.
    ///
    /// Its first process is asked to end (SIGTERM), and killed when it has not ended a few seconds later.
    /// Stopping what does not run, or is not there, is success.
    async fn stop(&self, container: &Container) -> Result<(), EngineError>;

    /// Finds one container; `None` when the engine has none of ours for it.
    async fn find(&self, container: &Container) -> Result<Option<Found>, EngineError>;

    /// Makes sure that the container is gone, with the volumes that nobody named. Removing what is not there is success.
    async fn remove(&self, container: &Container) -> Result<(), EngineError>;

    /// Everything on the engine that bears our mark, in any state, the oldest first.
    ///
    /// Copies that somebody made of our containers are among it: several with one key. The caller knows its own by the
    /// references that it recorded.
    async fn list(&self) -> Result<Vec<Found>, EngineError>;

    /// Sends changes behind our back until the engine's stream breaks, and returns why it broke.
    ///
    /// Sends [`Change::Everything`] as soon as the engine is watched, so that nothing between two watches is lost.
    async fn watch(&self, changes: mpsc::Sender<Change>) -> EngineError;

    /// The variables that a container was made with and whose names begin with `prefix`; `None` when there is none of
    /// ours. Needs [`Capability::Environment`].
    async fn environment(
        &self,
        _container: &Container,
        _prefix: &str,
    ) -> Result<Option<BTreeMap<String, String>>, EngineError> {
        Err(self.unsupported(Capability::Environment))
    }

    /// Runs a command in a container that runs. Needs [`Capability::Exec`], and [`Capability::ExecTerminal`] when the
    /// request has a terminal.
    ///
    /// A program that is not there is an exit code (126 or 127) or [`EngineError::Refused`], depending on the engine.
    async fn exec(&self, _container: &Container, _request: &ExecRequest) -> Result<ExecSession, EngineError> {
        Err(self.unsupported(Capability::Exec))
    }

    /// The output of the container: its standard output and error. Needs [`Capability::Logs`].
    async fn logs(&self, _container: &Container, _request: &LogRequest) -> Result<OutputStream, EngineError> {
        Err(self.unsupported(Capability::Logs))
    }

    /// Measures once what a running container uses. Needs [`Capability::Stats`].
    async fn stats(&self, _container: &Container) -> Result<Stats, EngineError> {
        Err(self.unsupported(Capability::Stats))
    }

    /// Reads the file or directory at an absolute path inside, as a tar archive whose entries begin with the last part of
    /// the path. Needs [`Capability::Copy`]. Works whether the container runs or not.
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

    /// Freezes the processes of a running container; [`ensure`](Self::ensure) lets them go on. Needs
    /// [`Capability::Pause`]. Pausing what is paused is success.
    async fn pause(&self, _container: &Container) -> Result<(), EngineError> {
        Err(self.unsupported(Capability::Pause))
    }

    /// Loads the images of a tar archive, in Docker's layout (`docker save`) or in OCI's. Needs [`Capability::Images`].
    ///
    /// Returns each image that the archive held. Loading what is there already is success. There is no limit on how long
    /// it takes: the caller ends it by dropping the call.
    async fn load_images(&self, _archive: ByteStream) -> Result<Vec<Image>, EngineError> {
        Err(self.unsupported(Capability::Images))
    }

    /// Fetches an image from its registry, and returns it. Needs [`Capability::Pull`].
    ///
    /// Sends each step to `progress`; a step that finds no room there is left out. There is no limit on how long it
    /// takes: the caller ends it by dropping the call. An image that the registry does not have is
    /// [`EngineError::ImageMissing`], and one that it does not give to this user is [`EngineError::Refused`]; not every
    /// registry tells the two apart.
    async fn pull_image(
        &self,
        _request: &PullRequest,
        _progress: mpsc::Sender<PullProgress>,
    ) -> Result<Image, EngineError> {
        Err(self.unsupported(Capability::Pull))
    }

    /// All images that the engine has, whoever brought them. Needs [`Capability::Images`].
    async fn images(&self) -> Result<Vec<Image>, EngineError> {
        Err(self.unsupported(Capability::Images))
    }

    /// Removes a name from its image, and the image with its last name; or, by its id, an image with all its names.
    /// Needs [`Capability::Images`]. Removing what is not there is success.
    ///
    /// An image that a container uses is kept, and the call fails with [`EngineError::Refused`].
    async fn remove_image(&self, _image: &str) -> Result<(), EngineError> {
        Err(self.unsupported(Capability::Images))
    }

    /// The error of a call that this engine cannot serve.
    fn unsupported(&self, capability: Capability) -> EngineError {
        EngineError::Unsupported {
            engine: self.name().to_owned(),
            capability,
        }
    }
}
