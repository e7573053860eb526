//! Waits for the database.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use super::Context;
use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_runtime::causes::with_causes;
use orchestrator_store::{Store, StoreError};

/// The condition under which the database is shown, and the name of the tasks that see to it.
pub(super) const CONDITION: &str = "database";
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Opens the store, however long its database takes to come. `None` when the daemon stops before that.
///
/// # Errors
///
/// When waiting cannot help: the URL is wrong, the database belongs to a newer version, or to another identity.
pub(super) async fn wait_for(context: &Context) -> Result<Option<Store>, StoreError> {
    // It stays the same for as long as the daemon runs.
    let settings = context.settings.get().store.clone();
    let (tries, mut wanted) = mpsc::channel::<Try>(1);
    let registration = Registration::new(CONDITION, "opens the database")
        .retrying(Backoff::new(FIRST_PAUSE, LONGEST_PAUSE))
        .having_condition();
    context.driver.register(registration, Opening { tries });
    // Not in the reconciler itself: opening a database is a future that must stay on this thread.
    while let Some(outcome) = wanted.recv().await {
        match Store::open_with(settings.url.as_str(), &settings.identity).await {
            Ok(store) => {
                context.conditions.set_ok(CONDITION);
                return Ok(Some(store));
            }
            Err(fault) if fault.is_away() => {
                context.conditions.set_waiting(CONDITION, with_causes(&fault));
                // It has gone when the daemon stops.
                let _ = outcome.send(Failure::of(&fault));
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(None)
}

/// Where a try to open the store says why it failed. Dropped when there is nothing more to try.
type Try = oneshot::Sender<Failure>;

/// Has the store opened once.
struct Opening {
    tries: mpsc::Sender<Try>,
}

#[async_trait]
impl Reconciler for Opening {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let (sender, failure) = oneshot::channel();
        if self.tries.send(sender).await.is_err() {
            return Ok(Next::Over);
        }
        match failure.await {
            Ok(failure) => Err(failure),
            Err(_opened) => Ok(Next::Over),
        }
    }
}
