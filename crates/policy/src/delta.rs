//! A change of a policy.

use orchestrator_host::{PolicyItem, PolicyKey};

/// A change of a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta {
    /// What is to be there from now on. It replaces what has the same key.
    pub set: Vec<PolicyItem>,
    /// What is to be gone.
    pub remove: Vec<PolicyKey>,
}

impl Delta {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }

    /// Lays a later change over this one.
    pub fn then(&mut self, later: Self) {
        let replaced = |key: &PolicyKey| later.remove.contains(key) || later.set.iter().any(|item| item.key() == *key);
        self.set.retain(|item| !replaced(&item.key()));
        self.remove.retain(|key| !replaced(key));
        self.set.extend(later.set);
        self.remove.extend(later.remove);
    }
}
