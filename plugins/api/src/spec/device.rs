//! Devices of the host.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A device of the host that a container may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Absolute path on the host.
    pub source: PathBuf,
    /// Absolute path inside the container.
    pub target: PathBuf,
    /// The access that the container has.
    #[serde(default)]
    pub access: DeviceAccess,
}

/// The access of a container to a device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceAccess {
    /// The container may only read it.
    Read,
    /// The container may read and write it.
    #[default]
    ReadWrite,
}
