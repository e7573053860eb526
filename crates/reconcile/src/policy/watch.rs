//! Notices when somebody else changes the rules of a host.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_host::{Host, HostChange, WatchScope};
use orchestrator_runtime::causes::with_causes;
use orchestrator_settings::Current;
use tokio::sync::mpsc;

use crate::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};

/// The waits between two tries.
const RETRIES: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
/// A watch that goes on for so long has begun.
const SETTLED: Duration = Duration::from_secs(1);

/// Reports to the policy reconciler that somebody changed the rules.
pub(super) struct PolicyWatch {
    pub(super) settings: Current,
    pub(super) host: Arc<dyn Host>,
    pub(super) changes: mpsc::Sender<HostChange>,
}

impl PolicyWatch {
    pub(super) fn registration() -> Registration {
        let purpose = "notices at once when somebody removes a rule of ours";
        Registration::new("policy watch", purpose)
            .retrying(RETRIES)
            .following_settings()
            .settling_after(SETTLED)
    }
}

#[async_trait]
impl Reconciler for PolicyWatch {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let settings = self.settings.get();
        if !settings.links.iter().any(|link| link.isolation.is_some()) {
            return Ok(Next::Wait);
        }
        let fault = self.host.watch(WatchScope::Policy, self.changes.clone()).await;
        let reason = with_causes(&fault);
        Err(format!("no notifications about rules, which are only restored now and then meanwhile: {reason}").into())
    }
}
