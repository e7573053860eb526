//! What a container is.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::word::words;

/// What a container is: the parts of its template that the engine is given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContainerSpec {
    /// The image, as the engine names it.
    pub image: String,
    /// The host name inside.
    pub hostname: String,
    /// The command in place of the image's own; empty for the image's own.
    #[serde(default)]
    pub command: Vec<String>,
    /// Environment variables. Their values may be secrets, so that each is shown as `***`.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Environment variables whose values are read from elsewhere at each start.
    #[serde(default)]
    pub environment_from: BTreeMap<String, ValueSource>,
    /// The Linux capabilities that it keeps, without `CAP_`.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// What it may use of the host.
    #[serde(default)]
    pub resources: Resources,
    /// Labels for people and their tools.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Devices of the host that it may use.
    #[serde(default)]
    pub devices: Vec<Device>,
    /// What is mounted in it.
    #[serde(default)]
    pub volumes: Vec<Volume>,
    /// Files that are written into it before its first start. What they hold may be secret, and is not shown.
    #[serde(default)]
    pub files: Vec<File>,
    /// Its name servers; `null` leaves them to the engine.
    #[serde(default)]
    pub resolver: Option<Resolver>,
}

/// What an instance is: what its first container is, and what the others are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceSpec {
    /// The first container, whose network namespace is that of all.
    #[serde(flatten)]
    pub main: ContainerSpec,
    /// The other containers, in the order of their start.
    #[serde(default)]
    pub sidecars: Vec<Sidecar>,
}

/// A further container of an instance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sidecar {
    /// Its name among the containers of the instance.
    pub name: String,
    /// What it is.
    #[serde(flatten)]
    pub spec: ContainerSpec,
}

/// Limits on what a container may use; `null` is no limit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// Memory in bytes; swap is not added to it.
    pub memory: Option<u64>,
    /// Processor time, in thousandths of one processor.
    pub millicpus: Option<u32>,
    /// Processes and threads.
    pub pids: Option<u32>,
}

/// Where a value is read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValueSource {
    /// A file of the daemon's machine, by its absolute path.
    File(PathBuf),
    /// A credential that systemd gives the daemon, by its name.
    Credential(String),
}

words! {
    /// What a container may do with a device.
    pub enum DeviceAccess {
        /// Only read it.
        Read = "read",
        /// Read and write it.
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
    /// What the container may do with it.
    pub access: DeviceAccess,
}

/// A directory or file that is mounted in a container, and outlives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Volume {
    /// What is mounted.
    pub source: VolumeSource,
    /// Its absolute path inside the container.
    pub target: PathBuf,
    /// Whether the container may only read it.
    pub read_only: bool,
}

/// What a volume is on the host.
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
    /// How many bytes it holds; `null` where they are read from elsewhere at each start.
    pub size: Option<u64>,
    /// Where they are read from.
    pub from: Option<ValueSource>,
    /// Its permission bits, as a number.
    pub mode: u32,
    /// The number of the user that it belongs to, inside the container.
    pub uid: u32,
    /// The number of the group that it belongs to, inside the container.
    pub gid: u32,
}

/// Where the programs of a container resolve names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resolver {
    /// Name servers, in the order in which they are asked.
    #[schemars(with = "Vec<String>")]
    pub servers: Vec<IpAddr>,
    /// Domains that are appended to short names.
    pub search: Vec<String>,
}
