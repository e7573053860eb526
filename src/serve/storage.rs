//! Waits for the database.

use std::time::Duration;

use super::Context;
use orchestrator_runtime::causes::with_causes;
use orchestrator_store::{Store, StoreError};

/// The condition under which the database is shown.
pub(super) const CONDITION: &str = "database";
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Opens the store, however long its database takes to come.
///
/// # Errors
///
/// When waiting cannot help: the URL is wrong, the database belongs to a newer version, or to another identity.
pub(super) async fn wait_for(context: &Context) -> Result<Store, StoreError> {
    // It stays the same for as long as the daemon runs.
    let settings = context.settings.get().store.clone();
    let mut pause = FIRST_PAUSE;
    loop {
        match Store::open_with(settings.url.as_str(), &settings.identity).await {
            Ok(store) => {
                context.conditions.set_ok(CONDITION);
                return Ok(store);
            }
            Err(fault) if fault.is_away() => {
                context.conditions.set_waiting(CONDITION, with_causes(&fault));
                tokio::select! {
                    () = context.stop.cancelled() => return Err(fault),
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(fault) => return Err(fault),
        }
    }
}
