//! What the doctor finds on a machine in memory.

use std::collections::BTreeMap;

use orchestrator_doctor::PolicyFacts;

use crate::fake::FakeState;
use crate::{Examination, PolicyItem};

impl FakeState {
    /// What a test said, or nothing.
    pub(super) fn examined(&self) -> Examination {
        let unknown = || "a machine in memory has no kernel".to_owned();
        self.examination.clone().unwrap_or_else(|| Examination {
            machine: Err(unknown()),
            engines: Vec::new(),
            volumes: Ok(self.volumes.keys().map(ToString::to_string).collect()),
        })
    }

    /// The items of the packet filter, compared with those that are to be there.
    pub(super) fn compared(&self, wanted: &[PolicyItem]) -> PolicyFacts {
        let wanted: BTreeMap<_, _> = wanted.iter().map(|item| (item.key(), item)).collect();
        let missing = wanted.iter().filter(|(key, item)| self.policy.get(key) != Some(**item));
        let surplus = self.policy.keys().filter(|key| !wanted.contains_key(key));
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        PolicyFacts {
            is_loaded: true,
            wanted: Some(count(wanted.len())),
            missing: count(missing.count()),
            surplus: count(surplus.count()),
        }
    }
}
