//! How far the start of an instance is.

use serde::{Deserialize, Serialize};

/// How far [`ensure`](crate::Host::ensure) is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The machine works: it starts containers and wires them.
    #[default]
    Working,
    /// The instance runs and is wired. The machine only waits for its answer.
    Awaiting,
}
