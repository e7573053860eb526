//! Serves clients and instances over HTTP on every link: a listening socket for each address that the settings want.
//!
//! A socket belongs to one bridge. When the bridge is made again, its socket is opened again.

mod facts;
mod places;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_portal::{Face, Listener, Metadata, Place};
use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_store::Store;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::facts::StoreFacts;
use self::places::{Purpose, wanted};
use super::Context;

/// How often the bridges are compared with the sockets.
const PERIOD: Duration = Duration::from_secs(5);
/// The longest wait before a socket is tried again that could not be opened.
const PAUSE: Duration = Duration::from_secs(2);
/// The wait after a notification: what comes with it is looked at once.
const GATHER: Duration = Duration::from_millis(50);

/// Serves until the daemon stops. `interfaces_changed` changes whenever interfaces may have.
pub(super) fn register(context: &Context, store: &Store, interfaces_changed: watch::Receiver<()>) {
    let registration = Registration::new(
        "portal",
        "serves metadata to instances, and pages to clients, over HTTP",
    )
    .following_settings()
    .every(PERIOD)
    .retrying(Backoff::constant(PAUSE));
    let facts = Arc::new(StoreFacts { store: store.clone() });
    let metadata = Metadata::new(facts, context.clock, context.metrics.clone());
    let portal = Portal {
        context: context.clone(),
        interfaces_changed,
        metadata: Arc::new(metadata),
        open: HashMap::new(),
    };
    context.driver.register(registration, portal);
}

/// Keeps a socket open for every place where something is to be served.
struct Portal {
    context: Context,
    interfaces_changed: watch::Receiver<()>,
    metadata: Arc<dyn Face>,
    open: HashMap<(Purpose, Place), Open>,
}

/// A socket that is served.
struct Open {
    stop: CancellationToken,
    task: TaskTracker,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[async_trait]
impl Reconciler for Portal {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let wanted = wanted(&self.context.settings.get());
        // A socket is closed before another one takes its address: the bridge may be another one by the same name.
        let left: Vec<_> = self.open.keys().filter(|key| !wanted.contains(key)).cloned().collect();
        for key in left {
            if let Some(open) = self.open.remove(&key) {
                open.stop.cancel();
            }
        }
        let mut failed = Vec::new();
        for key in wanted {
            if self.open.get(&key).is_some_and(|open| !open.task.is_empty()) {
                continue;
            }
            match self.serve(&key) {
                Ok(open) => drop(self.open.insert(key, open)),
                Err(reason) => failed.push(reason),
            }
        }
        match failed.is_empty() {
            true => Ok(Next::Wait),
            false => Err(failed.join("; ").into()),
        }
    }

    async fn notified(&mut self) {
        if self.interfaces_changed.changed().await.is_err() {
            // Nobody observes interfaces any more: the daemon stops.
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(GATHER).await;
    }
}

impl Portal {
    fn serve(&self, (purpose, place): &(Purpose, Place)) -> Result<Open, String> {
        let listener = Listener::open(place, &self.context.metrics).map_err(|error| {
            format!(
                "cannot serve {} at [{}]:{} on link {}: {error}; does another program listen there? Give it an address of \
                 its own, or set {} to another address",
                purpose.title(),
                place.address,
                place.port,
                place.link,
                purpose.key(),
            )
        })?;
        let face = match purpose {
            Purpose::Metadata => self.metadata.clone(),
        };
        let (stop, task) = (self.context.stop.child_token(), TaskTracker::new());
        let serving = task.track_future(listener.run(face, stop.clone()));
        self.context.tasks.spawn(serving);
        Ok(Open { stop, task })
    }
}
