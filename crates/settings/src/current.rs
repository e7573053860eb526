//! The settings in force, for all their readers.

use std::sync::Arc;

use tokio::sync::watch;

use super::Settings;

/// A view of the settings in force. A cheap handle: each use reads the latest settings.
#[derive(Debug, Clone)]
pub struct Current(watch::Receiver<Arc<Settings>>);

impl Current {
    /// Puts settings in force. The holder of the sender can replace them.
    pub fn new(settings: Arc<Settings>) -> (watch::Sender<Arc<Settings>>, Self) {
        let (sender, receiver) = watch::channel(settings);
        (sender, Self(receiver))
    }

    /// The settings in force now.
    pub fn get(&self) -> Arc<Settings> {
        self.0.borrow().clone()
    }

    /// The settings in force, if they changed since this handle last read them. Costs next to nothing if not.
    pub fn news(&mut self) -> Option<Arc<Settings>> {
        let changed = self.0.has_changed().unwrap_or(false);
        changed.then(|| self.0.borrow_and_update().clone())
    }

    /// Waits for settings that this handle has not seen. Cancel-safe.
    pub async fn changed(&mut self) -> Arc<Settings> {
        if self.0.changed().await.is_err() {
            // The sender is gone, so the settings never change again.
            std::future::pending::<()>().await;
        }
        self.0.borrow_and_update().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn settings(text: &str) -> Arc<Settings> {
        Arc::new(parse(text, std::iter::empty()).unwrap())
    }

    #[tokio::test]
    async fn news_are_told_once_and_the_last_counts() {
        let first = settings("");
        let (sender, mut current) = Current::new(first);
        let other = current.clone();
        assert_eq!(current.news(), None);
        sender.send_replace(settings("[log]\nlevel = \"warn\""));
        let last = settings("[log]\nlevel = \"debug\"");
        sender.send_replace(last.clone());
        assert_eq!(other.get(), last);
        assert_eq!(current.changed().await, last);
        assert_eq!(current.news(), None);
    }
}
