//! Notifies a caller that waits for an instance's answer of changes that its engine reports.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orchestrator_plugin::InstanceId;
use tokio::sync::Notify;

/// The instances whose answer is waited for.
#[derive(Debug, Default)]
pub(super) struct News {
    awaited: Mutex<HashMap<InstanceId, Arc<Notify>>>,
}

/// Receives news of one instance until it is dropped.
#[derive(Debug)]
pub(super) struct Subscription<'n> {
    news: &'n News,
    instance: InstanceId,
    notify: Arc<Notify>,
}

impl News {
    /// Receives news of an instance from now on. One call waits for an instance at a time.
    pub(super) fn subscribe(&self, instance: InstanceId) -> Subscription<'_> {
        let notify = Arc::new(Notify::new());
        self.awaited().insert(instance, notify.clone());
        Subscription {
            news: self,
            instance,
            notify,
        }
    }

    /// Something happened to this instance.
    pub(super) fn notify(&self, instance: InstanceId) {
        if let Some(notify) = self.awaited().get(&instance) {
            notify.notify_one();
        }
    }

    /// Anything may have happened to any instance.
    pub(super) fn notify_all(&self) {
        self.awaited().values().for_each(|notify| notify.notify_one());
    }

    fn awaited(&self) -> MutexGuard<'_, HashMap<InstanceId, Arc<Notify>>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription<'_> {
    /// Waits for the next news.
    pub(super) async fn received(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Subscription<'_> {
    fn drop(&mut self) {
        let mut awaited = self.news.awaited();
        // A later call may wait for the same instance by now.
        if awaited
            .get(&self.instance)
            .is_some_and(|notify| Arc::ptr_eq(notify, &self.notify))
        {
            awaited.remove(&self.instance);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: InstanceId = InstanceId::from_bytes([1; 6]);

    #[tokio::test]
    async fn news_from_before_the_wait_are_received() {
        let news = News::default();
        let subscription = news.subscribe(ID);
        news.notify(ID);
        subscription.received().await;
        news.notify_all();
        subscription.received().await;
    }

    #[test]
    fn nobody_is_kept_who_does_not_wait_any_more() {
        let news = News::default();
        let first = news.subscribe(ID);
        let second = news.subscribe(ID);
        drop(first);
        assert_eq!(news.awaited().len(), 1, "the second waits on");
        drop(second);
        assert!(news.awaited().is_empty());
    }
}
