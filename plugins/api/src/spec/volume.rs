//! Volumes of a container.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A directory or file that is mounted in a container, and outlives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// The source of the volume.
    pub source: VolumeSource,
    /// Absolute path inside the container.
    pub target: PathBuf,
    /// Whether the container may only read it.
    #[serde(default)]
    pub read_only: bool,
}

/// The source of a volume on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VolumeSource {
    /// A volume of the engine, by its name. The engine creates it if it is missing, and nobody removes it.
    Name(String),
    /// A directory or file of the host, by its absolute path. It must exist.
    Path(PathBuf),
}
