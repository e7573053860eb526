//! A volume of an instance.

use std::path::PathBuf;

use orchestrator_plugin::{ContainerName, Id};
use serde::{Deserialize, Serialize};

/// A volume, and the place where a container of an instance has it. The host makes the volume where it is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountPlan {
    /// The id of the volume, which its directory is named after.
    pub volume: Id,
    /// The container that has it.
    pub container: ContainerName,
    /// Absolute path inside the container.
    pub target: PathBuf,
    /// Whether the container may only read it.
    pub read_only: bool,
    /// The most that it may hold, in bytes, where the file system can limit that.
    pub size: Option<u64>,
    /// Permission bits of its directory when it is made.
    pub mode: u32,
    /// Number of the user that its directory belongs to when it is made.
    pub uid: u32,
    /// Number of the group that its directory belongs to when it is made.
    pub gid: u32,
}
