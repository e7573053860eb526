//! What the doctor finds on a machine in memory.

use crate::Examination;
use crate::fake::FakeState;

impl FakeState {
    /// What a test said, or nothing.
    pub(super) fn examined(&self) -> Examination {
        let unknown = || "a machine in memory has no kernel".to_owned();
        self.examination.clone().unwrap_or_else(|| Examination {
            machine: Err(unknown()),
            engines: Vec::new(),
            policy: Err(unknown()),
            volumes: Ok(self.volumes.keys().map(ToString::to_string).collect()),
        })
    }
}
