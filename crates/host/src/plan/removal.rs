//! What is to be gone.

use orchestrator_plugin::{Id, InstanceId};
use serde::{Deserialize, Serialize};

use super::{ContainerRef, RoutePlan};

/// What is to be gone of an instance, or of what nobody owns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovalPlan {
    /// The instance; `None` for interfaces that belong to no instance.
    pub id: Option<InstanceId>,
    /// Its containers.
    pub containers: Vec<ContainerRef>,
    /// Its attachments.
    pub attachments: Vec<Id>,
    /// The routes to prefixes of its attachments. Another route to the same prefix stays.
    #[serde(default)]
    pub routes: Vec<RoutePlan>,
    /// Further host ends with our mark, by the names of their interfaces.
    pub host_ends: Vec<String>,
}
