//! Calls that change a container, one at a time for each.
//!
//! A call that is dropped half-way has its executable killed, which takes a moment. The turn is given back when the
//! executable has ended: so a removal begins after the creation that was dropped, and nothing outlives it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orchestrator_plugin::ContainerKey;
use tokio::sync::OwnedMutexGuard;

/// Whose turn it is to change a container.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turns {
    turns: Arc<Mutex<HashMap<ContainerKey, Arc<tokio::sync::Mutex<()>>>>>,
}

/// The turn for one container; the next one comes when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Turns,
    key: ContainerKey,
    held: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits for the turn.
    pub(crate) async fn turn(&self, key: &ContainerKey) -> Turn {
        let turn = self.turns().entry(key.clone()).or_default().clone();
        Turn {
            turns: self.clone(),
            key: key.clone(),
            held: Some(turn.lock_owned().await),
        }
    }

    fn turns(&self) -> MutexGuard<'_, HashMap<ContainerKey, Arc<tokio::sync::Mutex<()>>>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.held = None;
        let mut turns = self.turns.turns();
        // Each waiter has a handle of its own. Without another handle, nobody waits.
        if turns.get(&self.key).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            turns.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use orchestrator_plugin::InstanceId;

    use super::*;

    fn key(byte: u8) -> ContainerKey {
        ContainerKey::main(InstanceId::from_bytes([byte; 6]))
    }

    #[tokio::test(start_paused = true)]
    async fn one_turn_at_a_time_and_none_is_kept_when_all_are_over() {
        let turns = Turns::default();
        let first = turns.turn(&key(2)).await;
        let other = key(3);
        drop(turns.turn(&other).await);
        let second = tokio::time::timeout(Duration::from_secs(60), turns.turn(&key(2))).await;
        assert!(second.is_err(), "the first is not over");
        let waiting = tokio::spawn({
            let turns = turns.clone();
            async move { turns.turn(&key(2)).await }
        });
        tokio::task::yield_now().await;
        drop(first);
        drop(waiting.await.unwrap());
        assert!(turns.turns().is_empty());
    }
}
