//! One container of an instance.

use serde::{Deserialize, Serialize};

use super::InstanceId;

/// One container of an instance. All containers of an instance share the network namespace of the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// The instance that it belongs to.
    pub instance: InstanceId,
    /// Its name within the instance: `main` for the first.
    pub name: String,
    /// The plugin whose engine runs it.
    pub engine: String,
    /// The image that it is started from, as the engine names it.
    pub image: String,
    /// The engine's name for it: a container id. `None` until the engine has it.
    pub reference: Option<String>,
}

impl Container {
    /// The name of the first container of every instance.
    pub const MAIN: &'static str = "main";
}
