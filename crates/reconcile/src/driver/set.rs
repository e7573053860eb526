//! Reconcilers of one kind, one for each thing that there is: links, interfaces with relay agents, engines.

use std::collections::HashMap;
use std::future::pending;
use std::hash::Hash;

use tokio::task::JoinSet;

use super::Handle;

/// The handles of reconcilers that run, by what each is for.
pub struct TaskSet<K> {
    running: HashMap<K, Handle>,
    endings: JoinSet<K>,
}

impl<K: Eq + Hash + Clone + Send + 'static> TaskSet<K> {
    /// A set without any.
    pub fn new() -> Self {
        Self {
            running: HashMap::new(),
            endings: JoinSet::new(),
        }
    }

    /// The reconciler for `key`, registered by `register` if there is none. One that still ends counts as there, so that
    /// two never overlap.
    pub fn ensure(&mut self, key: &K, register: impl FnOnce() -> Handle) -> &Handle {
        let endings = &mut self.endings;
        self.running.entry(key.clone()).or_insert_with(|| {
            let (handle, key) = (register(), key.clone());
            let waiting = handle.clone();
            endings.spawn(async move {
                waiting.ended().await;
                key
            });
            handle
        })
    }

    /// Waits until one has ended, takes it out of the set, and returns what it was for. Cancel-safe.
    pub async fn ended(&mut self) -> K {
        loop {
            match self.endings.join_next().await {
                Some(Ok(key)) => {
                    self.running.remove(&key);
                    return key;
                }
                // They only wait: none panics, and none is aborted before the set is dropped.
                Some(Err(_)) => {}
                None => pending().await,
            }
        }
    }

    /// The reconcilers that have not ended, with what each is for.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &Handle)> {
        self.running.iter()
    }
}

impl<K: Eq + Hash + Clone + Send + 'static> Default for TaskSet<K> {
    fn default() -> Self {
        Self::new()
    }
}
