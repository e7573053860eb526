//! The tokens of callers: read once the secrets are open, with their use recorded now and then.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_api::ControlError;
use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::Owned;
use orchestrator_secrets::{SecretsError, Tokens};
use orchestrator_store::Store;

use super::super::Context;

/// The condition under which it is shown whether the tokens are there.
const CONDITION: &str = "tokens";
/// Between two times at which the use of tokens is recorded.
const PERIOD: Duration = Duration::from_secs(60);
/// Before the next try while the secrets cannot be opened.
const RETRY: Duration = Duration::from_secs(2);

/// The tokens, once they are there. A cheap handle.
#[derive(Clone, Default)]
pub(in super::super) struct Keyring {
    tokens: Arc<OnceLock<Tokens>>,
    fault: Arc<Mutex<Option<String>>>,
}

impl Keyring {
    /// The tokens.
    pub(in super::super) fn get(&self) -> Result<Tokens, ControlError> {
        if let Some(tokens) = self.tokens.get() {
            return Ok(tokens.clone());
        }
        match self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            Some(reason) => Err(ControlError::Secrets { reason }),
            None => Err(ControlError::Starting),
        }
    }
}

/// Reads the tokens. The daemon is not ready before the first try, whatever comes of that.
pub(super) fn register(context: &Context, store: &Store, keyring: Keyring) {
    let registration = Registration::new(
        CONDITION,
        "reads the tokens of callers, and records when they were used",
    )
    .every(PERIOD)
    .retrying(Backoff::constant(RETRY))
    .having_condition();
    let keeper = Keeper {
        _condition: context.conditions.own(CONDITION),
        context: context.clone(),
        store: store.clone(),
        keyring,
    };
    context.driver.register(registration, keeper);
}

struct Keeper {
    context: Context,
    store: Store,
    keyring: Keyring,
    _condition: Owned,
}

impl Keeper {
    async fn keep(&self) -> Result<(), SecretsError> {
        if let Some(tokens) = self.keyring.tokens.get() {
            return tokens.refresh().await;
        }
        let room = super::open_room(&self.context, &self.store).await?;
        let tokens = Tokens::open(self.store.clone(), room).await?;
        // Set once, here.
        let _ = self.keyring.tokens.set(tokens);
        Ok(())
    }
}

#[async_trait]
impl Reconciler for Keeper {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let kept = self.keep().await.map_err(|fault| with_causes(&fault));
        *self.keyring.fault.lock().unwrap_or_else(PoisonError::into_inner) = kept.as_ref().err().cloned();
        let conditions = &self.context.conditions;
        match &kept {
            Ok(()) => conditions.set_ok(CONDITION),
            Err(reason) => conditions.set_wrong(CONDITION, reason.as_str()),
        }
        kept.map(|()| Next::Wait).map_err(Failure::from)
    }
}
