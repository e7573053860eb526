//! Containers of instances.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One container of an instance. All containers of an instance share the network namespace of the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Container {
    /// Its name within the instance: `main` for the first.
    pub name: String,
    /// The plugin whose engine runs it.
    pub engine: String,
    /// The image that the container is started from.
    pub image: String,
    /// The engine's name for the container; `null` until the engine has it.
    pub reference: Option<String>,
}
