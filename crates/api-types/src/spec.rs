//! Specifications of containers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use orchestrator_model::VolumeId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;
use crate::word::words;

/// The specification of a container: the keys of its template that the engine needs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContainerSpec {
    /// The image, as the engine names it.
    pub image: String,
    /// The host name inside the container.
    pub hostname: String,
    /// The command; empty to run the image's own.
    #[serde(default)]
    pub command: Vec<String>,
    /// Environment variables. Each value is shown as `***`, because it may be a secret.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Environment variables whose values the daemon reads from a file or credential at each start.
    #[serde(default)]
    pub environment_from: BTreeMap<String, ValueSource>,
    /// The Linux capabilities that the container keeps, without `CAP_`.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Limits on what the container may use.
    #[serde(default)]
    pub resources: Resources,
    /// Labels for people and their tools.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Devices of the host that the container may use.
    #[serde(default)]
    pub devices: Vec<Device>,
    /// Volumes that are mounted in the container.
    #[serde(default)]
    pub volumes: Vec<Volume>,
    /// Files that are written into the container before its first start. Their content is not shown: it may be secret.
    #[serde(default)]
    pub files: Vec<File>,
    /// The name servers of the container; `null` leaves the choice to the engine.
    #[serde(default)]
    pub resolver: Option<Resolver>,
}

/// The specification of an instance: its first container, and its other containers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceSpec {
    /// The first container. All containers use its network namespace.
    #[serde(flatten)]
    pub main: ContainerSpec,
    /// The other containers, in the order in which they start.
    #[serde(default)]
    pub sidecars: Vec<Sidecar>,
    /// The volumes that it holds, and where its containers have them.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// The values of its template, which the metadata service tells the instance.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    /// Where its SSH keys are written; `null` if they are not written.
    #[serde(default)]
    pub ssh: Option<SshFiles>,
    /// What its client may do with it, on its page: `restart`, `extend`, `keys`.
    #[serde(default)]
    pub client_may: Vec<String>,
    /// How its client may extend its time; `null` if it may not.
    #[serde(default)]
    pub extension: Option<ClientExtension>,
    /// What it may reach, and who may reach it besides its own client.
    #[serde(default)]
    pub access: Access,
}

/// What an instance may reach, and who may reach it besides its own client, as its template had it when it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Access {
    /// Destinations in the world that it may reach: a prefix, with or without ports, like `2000::/3 tcp/443`.
    pub egress: Vec<String>,
    /// Whether the sources of its packets to these destinations are translated to an address of its host.
    pub nat: bool,
    /// Ports that other clients of its link may reach, like `tcp/443` or `udp/5000-5010`.
    pub open: Vec<String>,
    /// Other instances of its client that it may connect to: the slot, with or without ports, like `db tcp/5432`.
    pub peers: Vec<String>,
    /// Whether it may speak with all other instances of its link for which this is true.
    pub together: bool,
    /// Ports on which its client reaches it at the front door; empty for all that no other instance of the client names.
    pub front_door_ports: Vec<String>,
    /// The packets per second that are accepted from it; `null` is no limit.
    pub packet_rate: Option<u32>,
    /// The bytes per second that are accepted from it; `null` is no limit.
    pub byte_rate: Option<u64>,
}

/// By how much a client may extend the time of its instance, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientExtension {
    /// By how many seconds each deadline comes later.
    pub seconds: u64,
    /// How often in the life of one instance.
    pub times: u32,
}

/// Where the SSH keys of an instance are written in its first container, before its first start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SshFiles {
    /// The absolute path of the host key; `null` if it is not written.
    pub host_key: Option<PathBuf>,
    /// The absolute path of the list of keys that may log in; `null` if it is not written.
    pub authorized_keys: Option<PathBuf>,
    /// The user id of the files' owner, inside the container.
    pub uid: u32,
    /// The group id of the files, inside the container.
    pub gid: u32,
}

/// A volume in a container of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mount {
    /// The volume.
    #[schemars(with = "scalar::Id")]
    pub volume: VolumeId,
    /// The name of the volume in the template.
    pub name: String,
    /// The container that has it.
    pub container: String,
    /// Its absolute path inside the container.
    pub target: PathBuf,
    /// Whether the container may only read it.
    pub read_only: bool,
    /// The most that it may hold, in bytes; `null` is no limit.
    pub size: Option<u64>,
}

/// A further container of an instance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sidecar {
    /// Its name among the containers of the instance.
    pub name: String,
    /// Its specification.
    #[serde(flatten)]
    pub spec: ContainerSpec,
}

/// Limits on what a container may use; `null` means no limit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// Memory in bytes. The container gets no swap beyond it.
    pub memory: Option<u64>,
    /// Processor time, in thousandths of one processor.
    pub millicpus: Option<u32>,
    /// The number of processes and threads.
    pub pids: Option<u32>,
    /// Bytes that it may write into its file system, outside of its volumes.
    #[serde(default)]
    pub disk: Option<u64>,
}

/// The source of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValueSource {
    /// A file on the daemon's machine, by its absolute path.
    File(PathBuf),
    /// A systemd credential of the daemon, by its name.
    Credential(String),
}

words! {
    /// The access that a container has to a device.
    pub enum DeviceAccess {
        /// It may only read.
        Read = "read",
        /// It may read and write.
        ReadWrite = "read-write",
    }
}

/// A device of the host that a container may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Device {
    /// Its absolute path on the host.
    pub source: PathBuf,
    /// Its absolute path inside the container.
    pub target: PathBuf,
    /// The access that the container has.
    pub access: DeviceAccess,
}

/// A directory or file that is mounted in a container and outlives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Volume {
    /// The source on the host.
    pub source: VolumeSource,
    /// Its absolute path inside the container.
    pub target: PathBuf,
    /// Whether the container may only read it.
    pub read_only: bool,
}

/// The source of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VolumeSource {
    /// A volume of the engine, by its name.
    Name(String),
    /// A directory or file of the host, by its absolute path.
    Path(PathBuf),
}

/// A file that is written into a container before its first start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct File {
    /// Its absolute path inside the container.
    pub target: PathBuf,
    /// The file's size in bytes; `null` when its content is read from `from` at each start.
    pub size: Option<u64>,
    /// The source of the content.
    pub from: Option<ValueSource>,
    /// Its permission bits, as a number.
    pub mode: u32,
    /// The user id of the file's owner, inside the container.
    pub uid: u32,
    /// The group id of the file, inside the container.
    pub gid: u32,
}

/// The name resolution of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resolver {
    /// Name servers, in the order in which they are asked.
    #[schemars(with = "Vec<String>")]
    pub servers: Vec<IpAddr>,
    /// Domains that are appended to short names.
    pub search: Vec<String>,
}
