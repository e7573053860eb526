//! How long instances have been paused.
//!
//! A commit of a container pauses it for a moment, so that its files are those of one moment. An instance that went on in
//! the middle of that would spoil the copy. So a pause counts only once it lasts.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use orchestrator_model::InstanceId;

/// How long a pause may last before it is ended. The full pass checks it again, so that it ends within a minute.
const PATIENCE: Duration = Duration::from_secs(20);

/// The instances that were seen paused, each with the moment when that was first seen.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    seen: Mutex<HashMap<InstanceId, Instant>>,
}

impl Pauses {
    /// The instance is paused; whether it has been for too long.
    pub(super) fn lasts(&self, id: InstanceId) -> bool {
        let since = *self.seen().entry(id).or_insert_with(Instant::now);
        since.elapsed() >= PATIENCE
    }

    /// The instance is not paused, or not at all any more.
    pub(super) fn over(&self, id: InstanceId) {
        self.seen().remove(&id);
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<InstanceId, Instant>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: InstanceId = InstanceId::from_bytes([1; 6]);

    #[tokio::test(start_paused = true)]
    async fn a_pause_counts_once_it_lasts_and_begins_anew_after_its_end() {
        let pauses = Pauses::default();
        assert!(!pauses.lasts(ID));
        tokio::time::advance(PATIENCE - Duration::from_millis(1)).await;
        assert!(!pauses.lasts(ID));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(pauses.lasts(ID));
        pauses.over(ID);
        assert!(!pauses.lasts(ID));
        pauses.over(ID);
        assert!(pauses.seen().is_empty());
    }
}
