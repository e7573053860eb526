//! What a container is to be.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a container is to be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spec {
    /// The image, as the executable names it. With the capability `image-pins`, it may be an id that CHECK_IMAGE gave.
    pub image: String,
    /// The host name inside; empty keeps the executable's own choice.
    #[serde(default)]
    pub hostname: String,
    /// The command in place of the image's own; empty keeps the image's.
    #[serde(default)]
    pub command: Vec<String>,
    /// Environment variables of the first process. Values may be secret.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Linux capabilities that it keeps, without `CAP_`; all others are dropped.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Limits on what it may use.
    #[serde(default)]
    pub limits: Limits,
    /// Labels for people and their tools.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Devices of the host that it may use. Empty without the capability `devices`.
    #[serde(default)]
    pub devices: Vec<Device>,
    /// What is mounted in it. Empty without the capability `volumes`.
    #[serde(default)]
    pub volumes: Vec<Volume>,
    /// Files that are written into it before its first start. Empty without the capability `files`.
    #[serde(default)]
    pub files: Vec<File>,
    /// Its name servers. Null without the capability `resolver`, or to leave them to the executable.
    #[serde(default)]
    pub resolver: Option<Resolver>,
}

/// Limits on what a container may use. Null is no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// Memory in bytes; swap is not added to it.
    #[serde(default)]
    pub memory_bytes: Option<u64>,
    /// Processor time in thousandths of one processor.
    #[serde(default)]
    pub millicpus: Option<u32>,
    /// Processes and threads.
    #[serde(default)]
    pub pids: Option<u32>,
    /// Bytes that it may write into its file system, outside of its volumes.
    #[serde(default)]
    pub disk_bytes: Option<u64>,
}

/// A device of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Device {
    /// Absolute path on the host.
    pub source: String,
    /// Absolute path inside.
    pub target: String,
    /// The access that the container has.
    pub access: Access,
}

/// The access of a container to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Only to read it.
    Read,
    /// To read and to write it.
    ReadWrite,
}

/// Something that is mounted in a container and outlives it: a volume of the executable, or a path of the host. One of
/// `volume` and `path` is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Volume {
    /// The name of a volume, which the executable makes where it does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    /// A directory or file of the host, by its absolute path. It must exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Absolute path inside.
    pub target: String,
    /// Whether the container may only read it.
    #[serde(default)]
    pub read_only: bool,
}

/// A file that is written into a container before its first start. Directories above it are made where they are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct File {
    /// Absolute path inside.
    pub target: String,
    /// Its content, which may be secret.
    #[serde(flatten)]
    pub content: Content,
    /// Permission bits as a number: 416 is `0o640`.
    pub mode: u32,
    /// The number of the user that it belongs to, inside.
    pub uid: u32,
    /// The number of the group that it belongs to, inside.
    pub gid: u32,
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Text, in UTF-8.
    Text(String),
    /// Bytes, in base64 (RFC 4648, section 4).
    Base64(String),
}

/// Name servers of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resolver {
    /// Addresses of name servers, in the order in which they are asked.
    pub servers: Vec<String>,
    /// Domains that are appended to short names.
    #[serde(default)]
    pub search: Vec<String>,
}
