//! Requests and answers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use orchestrator_plugin::{
    Container, ContainerKey, ContainerName, ContainerSpec, EngineError, ExecRequest, InstanceId, LogRequest, Mark,
    NetworkMode, SiteId, TerminalSize,
};
use serde::{Deserialize, Serialize};

/// Which versions of the protocol the helper speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The helper's own version, for people.
    pub helper: String,
    /// The runtime's name and version, for people.
    pub runtime: String,
    /// The versions of the protocol.
    pub protocols: Vec<u32>,
}

/// The container that a request is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its instance.
    pub instance: InstanceId,
    /// Its name in the instance.
    pub name: ContainerName,
    /// Its reference, where the caller recorded one.
    #[serde(default)]
    pub reference: Option<String>,
}

impl Target {
    /// The key of the container.
    pub fn key(&self) -> ContainerKey {
        ContainerKey {
            instance: self.instance,
            name: self.name.clone(),
        }
    }

    /// The container as callers of engines know it.
    pub fn container(&self) -> Container {
        Container {
            key: self.key(),
            reference: self.reference.clone(),
        }
    }
}

impl From<&Container> for Target {
    fn from(container: &Container) -> Self {
        Self {
            instance: container.key.instance,
            name: container.key.name.clone(),
            reference: container.reference.clone(),
        }
    }
}

/// How a container is to get its network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// In a namespace that is made at each start.
    Own,
    /// In the namespace at this path.
    Prepared(PathBuf),
    /// In the namespace of another container.
    Shared(Target),
}

impl Network {
    /// The same as a request for the engine of this name.
    ///
    /// # Errors
    ///
    /// [`EngineError::Unsupported`] for what the helper has no word for.
    pub fn of(engine: &str, mode: &NetworkMode) -> Result<Self, EngineError> {
        match mode {
            NetworkMode::EngineNamespace => Ok(Self::Own),
            NetworkMode::Prepared(path) => Ok(Self::Prepared(path.clone())),
            NetworkMode::Shared(with) => Ok(Self::Shared(with.into())),
            NetworkMode::EnginePort { .. } | NetworkMode::Tap { .. } => Err(EngineError::Unsupported {
                engine: engine.to_owned(),
                capability: mode.capability(),
            }),
        }
    }
}

/// `POST /v1/ensure`: the container exists and runs. The answer is a [`FoundAnswer`](super::FoundAnswer).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnsureRequest {
    /// The site whose mark it bears.
    pub site: SiteId,
    /// The container.
    pub container: Target,
    /// What it is, if it is made.
    pub spec: ContainerSpec,
    /// Its network, if it is made.
    pub network: Network,
    /// How much of its output is kept, if it is made.
    pub log: LogBounds,
}

/// A line of the answer to `POST /v1/ensure/early`, whose request is an [`EnsureRequest`] too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ensuring {
    /// The container will run in the network namespace at this path. It can be wired; nothing runs in it yet. Only a
    /// container with a network of its own has this line.
    Namespace(PathBuf),
    /// The container runs. The last line.
    Found(super::FoundAnswer),
    /// It does not. The last line.
    Fault(super::Fault),
}

/// How much of a container's output is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogBounds {
    /// Bytes of a file. When it is full the next one begins.
    pub size: u64,
    /// Files, at least one. The oldest goes when there are more.
    pub files: u32,
}

impl Default for LogBounds {
    /// 2 MiB for each container.
    fn default() -> Self {
        Self {
            size: 1 << 20,
            files: 2,
        }
    }
}

/// A question about everything of a site: `list` and `watch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteRequest {
    /// The site.
    pub site: SiteId,
}

impl From<Mark> for SiteRequest {
    fn from(mark: Mark) -> Self {
        Self { site: mark.site }
    }
}

/// A question about one container, or something that is to be done to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetRequest {
    /// The site whose mark it bears.
    pub site: SiteId,
    /// The container.
    pub container: Target,
}

/// `POST /v1/image`: is the image there? `POST /v1/images/remove`: it is not to be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRequest {
    /// The image's name.
    pub image: String,
}

/// Facts about an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageAnswer {
    /// The digest that identifies its content.
    pub id: String,
    /// Whether it brings a health check of its own.
    pub has_health_check: bool,
}

/// An image that the helper has: an answer to `POST /v1/images` and `POST /v1/images/load`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageEntry {
    /// The digest that identifies its content.
    pub id: String,
    /// Its names.
    pub names: Vec<String>,
    /// The digests by which registries know it.
    pub digests: Vec<String>,
    /// Bytes that it takes.
    pub size: u64,
    /// Seconds from 1970 to when it was built.
    pub created: Option<u64>,
    /// Seconds from 1970 to when it was last used.
    pub used: Option<u64>,
}

impl From<ImageEntry> for orchestrator_plugin::Image {
    fn from(entry: ImageEntry) -> Self {
        let moment = |seconds| std::time::UNIX_EPOCH + Duration::from_secs(seconds);
        Self {
            id: entry.id,
            names: entry.names,
            digests: entry.digests,
            size: Some(entry.size),
            created: entry.created.map(moment),
            used: entry.used.map(moment),
        }
    }
}

/// `POST /v1/layers`: which of these layers does the helper have? The answer is a list of their digests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayersRequest {
    /// The digests of the uncompressed layers (diff ids).
    pub layers: Vec<String>,
}

/// `POST /v1/images/load`, in the header: the layers that the archive may lack, because the helper has them. It fails when
/// one of them is gone, and keeps them until it ends. `null` is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadRequest {
    /// The digests of the uncompressed layers (diff ids).
    pub layers: Vec<String>,
}

/// `POST /v1/equipment`: what the helper found of what it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The kind of the machine's control groups: `v1`, `hybrid` or `v2`.
    pub cgroups: String,
}

/// `POST /v1/environment`. The answer is a map, or `null` when there is no such container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentRequest {
    /// The container.
    #[serde(flatten)]
    pub of: TargetRequest,
    /// What the names begin with.
    pub prefix: String,
}

/// `POST /v1/logs`. The body of the answer is frames.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogsRequest {
    /// The container.
    #[serde(flatten)]
    pub of: TargetRequest,
    /// Only what was written so many seconds after 1970, or later.
    pub since: Option<u64>,
    /// Only so many lines from the end.
    pub tail: Option<u32>,
    /// Whether the answer goes on until the container ends.
    pub follow: bool,
    /// Whether each line begins with its time.
    #[serde(default)]
    pub times: bool,
}

impl LogsRequest {
    /// The same request on the wire.
    pub fn new(of: TargetRequest, request: &LogRequest) -> Self {
        let since = request
            .since
            .and_then(|since| since.duration_since(std::time::UNIX_EPOCH).ok());
        Self {
            of,
            since: since.map(|since| since.as_secs()),
            tail: request.tail,
            follow: request.follow,
            times: request.times,
        }
    }
}

/// `POST /v1/stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsAnswer {
    /// Nanoseconds of processor time.
    pub cpu_nanoseconds: u64,
    /// Bytes of memory.
    pub memory: u64,
    /// Processes and threads.
    pub pids: Option<u64>,
}

impl From<StatsAnswer> for orchestrator_plugin::Stats {
    fn from(answer: StatsAnswer) -> Self {
        Self {
            cpu: Duration::from_nanos(answer.cpu_nanoseconds),
            memory: answer.memory,
            pids: answer.pids,
        }
    }
}

/// `POST /v1/disk`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskAnswer {
    /// Bytes that the container wrote.
    pub bytes: u64,
    /// The limit that the file system enforces, in bytes.
    pub limit: Option<u64>,
}

impl From<DiskAnswer> for orchestrator_plugin::DiskUse {
    fn from(answer: DiskAnswer) -> Self {
        Self {
            bytes: answer.bytes,
            limit: answer.limit,
        }
    }
}

/// `POST /v1/files/read`, and in a header of `POST /v1/files/write`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesRequest {
    /// The container.
    #[serde(flatten)]
    pub of: TargetRequest,
    /// The absolute path inside.
    pub path: PathBuf,
}

/// `POST /v1/exec`. The answer is 101; frames follow both ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecOf {
    /// The container.
    #[serde(flatten)]
    pub of: TargetRequest,
    /// What is run in it.
    pub command: Command,
}

/// A command that is run in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The program and its arguments.
    pub arguments: Vec<String>,
    /// Environment variables, laid over those of the container.
    pub environment: BTreeMap<String, String>,
    /// The user inside; `None` is the container's own.
    pub user: Option<String>,
    /// The directory to begin in; `None` is the container's own.
    pub directory: Option<PathBuf>,
    /// Columns and rows of its terminal; `None` gives it pipes.
    pub terminal: Option<(u16, u16)>,
}

impl From<&ExecRequest> for Command {
    fn from(request: &ExecRequest) -> Self {
        let size = |size: TerminalSize| (size.columns, size.rows);
        Self {
            arguments: request.command.clone(),
            environment: request.environment.clone(),
            user: request.user.clone(),
            directory: request.directory.clone(),
            terminal: request.terminal.map(size),
        }
    }
}

/// A line of the answer to `POST /v1/watch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// The watch began: anything may have happened before.
    Everything,
    /// This container started, ended or was removed.
    Container(Target),
}
