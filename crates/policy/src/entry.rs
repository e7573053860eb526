//! One thing that is allowed, and why.

use orchestrator_host::PolicyItem;
use orchestrator_model::Timestamp;

use crate::Why;

/// One thing that is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What is allowed.
    pub item: PolicyItem,
    /// Why it is allowed.
    pub why: Why,
    /// Since when it is claimed. Of two owners who claim one address, the one who claimed it first has it.
    pub since: Timestamp,
}
