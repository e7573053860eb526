//! The catalog: the present declarations.

use std::sync::Arc;

use orchestrator_model::Clock;
use orchestrator_store::Store;
use tokio::sync::{mpsc, oneshot, watch};

use super::declared::Declared;
use super::keeper::Request;

/// A view of what is declared. A cheap handle: asked at each use, it is never out of date.
#[derive(Debug, Clone)]
pub struct View(watch::Receiver<Arc<Declared>>);

impl View {
    /// Shows what is declared. Who holds the sender can show something else in its place.
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

    /// Waits for something that this handle has not seen. Cancel-safe.
    pub async fn changed(&mut self) -> Arc<Declared> {
        if self.0.changed().await.is_err() {
            // Nobody can declare anything any more.
            std::future::pending::<()>().await;
        }
        self.0.borrow_and_update().clone()
    }
}

/// The present declarations, and the place where the API makes templates. A cheap handle.
#[derive(Debug, Clone)]
pub struct Catalog {
    pub(super) view: View,
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) store: Store,
    pub(super) clock: Clock,
}

impl Catalog {
    /// What is declared now.
    pub fn current(&self) -> Arc<Declared> {
        self.view.current()
    }

    /// For those who only ask.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// Takes up the settings in force and what is recorded. When it returns `true`, everybody is answered by what there
    /// was before it was called; `false` where the database is away or the daemon stops: then that comes later.
    pub async fn refresh(&self) -> bool {
        let (done, told) = oneshot::channel();
        if self.requests.send(done).await.is_err() {
            return false;
        }
        told.await.unwrap_or(false)
    }
}
