//! The part of an image that a container is made from.

use std::path::PathBuf;

use orchestrator_images::Resolved;
use serde::{Deserialize, Serialize};

/// An image as a container keeps it: what its names mean later does not count.
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
}

impl From<Resolved> for Image {
    fn from(resolved: Resolved) -> Self {
        let config = resolved.config.as_ref();
        Self {
            digest: resolved.digest.to_string(),
            layers: resolved.layers,
            config: ImageConfig {
                entrypoint: config.entrypoint.clone(),
                command: config.command.clone(),
                environment: config.environment.clone(),
                user: config.user.clone(),
                directory: config.directory.clone(),
                stop_signal: config.stop_signal.clone(),
            },
        }
    }
}
