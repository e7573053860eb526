//! Opens the room for secrets, and checks now and then that its key file still is there.
//!
//! Leases do not wait for it: the daemon is ready without its secrets, and says what is wrong.

use std::time::Duration;

use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::Owned;
use orchestrator_secrets::{KeyFile, Room, SecretsError};
use orchestrator_store::Store;

use super::Context;

/// The condition under which the key file is shown.
const CONDITION: &str = "secrets";
/// Between two checks of the key file. A file that was lost is to be put back while the daemon still runs.
const PERIOD: Duration = Duration::from_secs(60);
/// Between two checks while something is wrong with it.
const RETRY: Duration = Duration::from_secs(2);

/// Keeps the room for secrets open.
pub(super) struct Secrets {
    context: Context,
    store: Store,
    file: KeyFile,
    room: Option<Room>,
    _condition: Owned,
}

impl Secrets {
    /// The daemon is not ready before the first check, whatever that finds.
    pub(super) fn of(context: &Context, store: &Store) -> Self {
        Self {
            // It stays the same for as long as the daemon runs.
            file: KeyFile::at(&context.settings.get().secrets.key_file),
            _condition: context.conditions.own(CONDITION),
            context: context.clone(),
            store: store.clone(),
            room: None,
        }
    }

    /// Opens the room, and checks its key file until the daemon stops.
    pub(super) async fn keep_open(mut self) {
        let stop = self.context.stop.clone();
        loop {
            let outcome = self.check().await;
            let pause = if outcome.is_ok() { PERIOD } else { RETRY };
            self.show(outcome);
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn check(&mut self) -> Result<(), SecretsError> {
        let now = self.context.clock.now();
        match &self.room {
            Some(room) => room.check(now).await.map(drop),
            None => {
                self.room = Some(Room::open(self.store.sealed(), self.file.clone(), now).await?);
                Ok(())
            }
        }
    }

    fn show(&self, outcome: Result<(), SecretsError>) {
        match outcome {
            Ok(()) => self.context.conditions.set_ok(CONDITION),
            Err(fault) => {
                self.context.metrics.secrets_failed(fault.code());
                self.context.conditions.set_wrong(CONDITION, with_causes(&fault));
            }
        }
    }
}
