//! Creations and removals of containers, one at a time for each container.
//!
//! A call that is dropped half-way does not cancel its request to the engine. So a task of its own waits for the end of
//! each creation, and a removal of the container waits for that end. No container outlives its removal.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ContainerKey;
use tokio::sync::OwnedMutexGuard;

/// One lock for each container, for its creation and removal.
#[derive(Debug, Clone, Default)]
pub struct Creations {
    turns: Arc<Mutex<HashMap<ContainerKey, Arc<tokio::sync::Mutex<()>>>>>,
}

/// The lock of one container. It is released when this is dropped.
#[derive(Debug)]
pub struct Turn {
    creations: Creations,
    key: ContainerKey,
    held: Option<OwnedMutexGuard<()>>,
}

impl Creations {
    /// Waits for the lock.
    pub async fn turn(&self, key: &ContainerKey) -> Turn {
        let turn = self.turns().entry(key.clone()).or_default().clone();
        Turn {
            creations: self.clone(),
            key: key.clone(),
            held: Some(turn.lock_owned().await),
        }
    }

    /// Whether a creation or a removal is under way here.
    pub fn is_under_way(&self, key: &ContainerKey) -> bool {
        self.turns().get(key).is_some_and(|turn| turn.try_lock().is_err())
    }

    fn turns(&self) -> MutexGuard<'_, HashMap<ContainerKey, Arc<tokio::sync::Mutex<()>>>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.held = None;
        let mut turns = self.creations.turns();
        // Each waiter has a handle of its own. Without another handle, nobody waits.
        if turns.get(&self.key).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            turns.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::InstanceId;

    use super::*;

    fn key(byte: u8) -> ContainerKey {
        ContainerKey::main(InstanceId::from_bytes([byte; 6]))
    }

    #[tokio::test(start_paused = true)]
    async fn one_turn_at_a_time_and_none_is_kept_when_all_are_over() {
        let creations = Creations::default();
        let first = creations.turn(&key(2)).await;
        assert!(creations.is_under_way(&key(2)));
        let other = key(3);
        drop(creations.turn(&other).await);
        let second = tokio::time::timeout(Duration::from_secs(60), creations.turn(&key(2))).await;
        assert!(second.is_err(), "the first is not over");
        let waiting = tokio::spawn({
            let creations = creations.clone();
            async move { creations.turn(&key(2)).await }
        });
        tokio::task::yield_now().await;
        drop(first);
        drop(waiting.await.unwrap());
        assert!(!creations.is_under_way(&key(2)));
        assert!(creations.turns().is_empty());
    }
}
