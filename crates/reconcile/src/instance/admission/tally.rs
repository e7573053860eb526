//! Sums by key.

use std::collections::HashMap;
use std::hash::Hash;

use super::claim::Size;

/// How many instances, and what they are promised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    /// Instances.
    pub(crate) instances: u64,
    /// What they are promised.
    pub(crate) size: Size,
}

/// Sums by key. A key without an instance takes no room.
#[derive(Debug, Clone)]
pub(super) struct Tally<K>(HashMap<K, Sum>);

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Tally<K> {
    pub(super) fn of(&self, key: &K) -> Sum {
        self.0.get(key).copied().unwrap_or_default()
    }

    /// Adds an instance. Returns whether it is the first of its key.
    pub(super) fn add(&mut self, key: K, size: Size) -> bool {
        let sum = self.0.entry(key).or_default();
        sum.instances += 1;
        sum.size = sum.size.plus(size);
        sum.instances == 1
    }

    /// Takes an instance away. Returns whether it was the last of its key.
    pub(super) fn take(&mut self, key: &K, size: Size) -> bool {
        let Some(sum) = self.0.get_mut(key) else { return false };
        sum.instances = sum.instances.saturating_sub(1);
        sum.size = sum.size.minus(size);
        let was_last = sum.instances == 0;
        if was_last {
            self.0.remove(key);
        }
        was_last
    }
}
