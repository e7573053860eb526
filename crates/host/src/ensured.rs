//! The result of a start.

use serde::{Deserialize, Serialize};

use crate::ContainerRef;

/// An instance that runs, is wired, and has answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ensured {
    /// Its containers with the engine's own names for them, in the order of the plan. The caller records these.
    pub containers: Vec<ContainerRef>,
}
