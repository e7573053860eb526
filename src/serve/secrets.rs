//! Opens the store of secrets, and checks now and then that its key file still is there.
//!
//! Leases do not wait for it: the daemon is ready without its secrets, and says what is wrong.

use std::time::Duration;

use async_trait::async_trait;
use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
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

/// Keeps the store of secrets open.
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

    /// Opens it, and checks its key file until the daemon stops.
    pub(super) fn register(self) {
        let purpose = "opens the store of secrets, and checks that its key file is there";
        let registration = Registration::new(CONDITION, purpose)
            .every(PERIOD)
            .retrying(Backoff::constant(RETRY))
            .having_condition();
        self.context.driver.clone().register(registration, self);
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

    fn show(&self, fault: &SecretsError) -> Failure {
        let reason = with_causes(fault);
        self.context.metrics.secrets_failed(fault.code());
        self.context.conditions.set_wrong(CONDITION, reason.as_str());
        reason.into()
    }
}

#[async_trait]
impl Reconciler for Secrets {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        self.check().await.map_err(|fault| self.show(&fault))?;
        self.context.conditions.set_ok(CONDITION);
        Ok(Next::Wait)
    }
}
