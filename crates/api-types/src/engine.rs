//! Engines, which run the containers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An engine of the settings, with what it can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Engine {
    /// The name by which templates choose it.
    pub name: String,
    /// The host that it is on.
    pub host: String,
    /// What it is: `docker`, `podman`, `oci`, `exec`.
    pub kind: String,
    /// What it can do besides making, finding, stopping and removing containers: `prepared-namespace`, `exec`, `logs` and
    /// the like. Empty for an engine of kind `exec` that was not asked yet.
    pub capabilities: Vec<String>,
}
