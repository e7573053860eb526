//! Images, as far as containers need them.

mod directory;

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use directory::DirectoryImages;

/// Where images come from.
pub(crate) trait Images: Send + Sync + 'static {
    /// The image that has this name now; `None` when there is none.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    fn resolve(&self, name: &str) -> io::Result<Option<Image>>;
}

/// An image that was unpacked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Image {
    /// The digest that identifies its content.
    pub(crate) digest: String,
    /// The directories of its layers, the lowest first, with whiteouts as overlayfs has them.
    pub(crate) layers: Vec<PathBuf>,
    /// What it says about containers that are made from it.
    #[serde(default)]
    pub(crate) config: ImageConfig,
}

/// The part of an image's configuration that counts for a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ImageConfig {
    /// What the command is appended to.
    pub(crate) entrypoint: Vec<String>,
    /// The command, unless the specification has one.
    pub(crate) command: Vec<String>,
    /// Environment variables as `NAME=value`.
    pub(crate) environment: Vec<String>,
    /// The user, by name or number, with `:group` where wanted; empty is root.
    pub(crate) user: String,
    /// The directory to begin in; empty is the root.
    pub(crate) directory: String,
    /// The signal that asks the first process to end, such as `SIGQUIT`; empty is SIGTERM.
    pub(crate) stop_signal: String,
    /// Whether it has a health check.
    pub(crate) has_health_check: bool,
}
