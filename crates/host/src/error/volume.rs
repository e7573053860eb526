//! Errors of volumes.

use std::io;
use std::path::PathBuf;

use orchestrator_plugin::Id;

/// Why a host could not do something with the directory of a volume.
#[derive(Debug, thiserror::Error)]
#[error("could not {doing} volume {volume} at {}; see to the disk and to volumes.directory", path.display())]
pub struct VolumeError {
    /// The volume.
    pub volume: Id,
    /// What was being done, such as `make`.
    pub doing: &'static str,
    /// Where.
    pub path: PathBuf,
    /// What happened.
    #[source]
    pub source: io::Error,
}
