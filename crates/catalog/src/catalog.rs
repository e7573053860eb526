//! The catalog: the present declarations.

use std::sync::Arc;

use orchestrator_model::Clock;
use orchestrator_store::Store;
use tokio::sync::{mpsc, oneshot, watch};

use super::declared::Declared;
use super::keeper::Request;

/// A view of the declarations. A cheap handle: each use reads the latest ones.
#[derive(Debug, Clone)]
pub struct View(watch::Receiver<Arc<Declared>>);

impl View {
    /// Makes a view of declarations. The holder of the sender can replace them.
    pub fn new(declared: Arc<Declared>) -> (watch::Sender<Arc<Declared>>, Self) {
        let (sender, receiver) = watch::channel(declared);
        (sender, Self(receiver))
    }

    /// The present declarations.
    pub fn current(&self) -> Arc<Declared> {
        self.0.borrow().clone()
    }

    /// The present declarations, if they changed since this handle last read them. Costs next to nothing if not.
    pub fn news(&mut self) -> Option<Arc<Declared>> {
        let changed = self.0.has_changed().unwrap_or(false);
        changed.then(|| self.0.borrow_and_update().clone())
    }

    /// Waits for declarations that this handle has not read. Cancel-safe.
    pub async fn changed(&mut self) -> Arc<Declared> {
        if self.0.changed().await.is_err() {
            // The sender is gone, so the declarations never change again.
            std::future::pending::<()>().await;
        }
        self.0.borrow_and_update().clone()
    }
}

/// The present declarations, and the changes of templates through the API. A cheap handle.
#[derive(Debug, Clone)]
pub struct Catalog {
    pub(super) view: View,
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) store: Store,
    pub(super) clock: Clock,
}

impl Catalog {
    /// The present declarations.
    pub fn current(&self) -> Arc<Declared> {
        self.view.current()
    }

    /// A view, for readers.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// Reads the settings in force and the recorded templates again. `true` means that every reader now sees at least
    /// what was there before the call. `false` means that the database is unreachable or the daemon stops; then it is
    /// done later.
    pub async fn refresh(&self) -> bool {
        let (done, finished) = oneshot::channel();
        if self.requests.send(done).await.is_err() {
            return false;
        }
        finished.await.unwrap_or(false)
    }
}
