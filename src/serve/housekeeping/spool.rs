//! Records the events that dnsmasq's hook could not hand over, in their order.

use std::time::Duration;

use async_trait::async_trait;

use crate::serve::Context;
use orchestrator_model::LeaseSource;
use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_runtime::causes::with_causes;
use orchestrator_settings::Current;
use orchestrator_source::dnsmasq::{Intake, Spool};

const PERIOD: Duration = Duration::from_secs(2);

pub(super) fn registration() -> Registration {
    Registration::new("spool", "records the events that dnsmasq's hook could not hand over")
        .every(PERIOD)
        .retrying(Backoff::constant(PERIOD))
        .following_settings()
}

/// Empties the spool. What is under way when the daemon stops stays in it, and is recorded at the next start.
pub(super) struct SpoolIntake {
    settings: Current,
    intake: Intake,
    spool: Spool,
}

impl SpoolIntake {
    pub(super) fn new(context: &Context, intake: Intake) -> Self {
        let settings = context.settings.clone();
        let spool = Spool::new(&settings.get().source.dnsmasq.spool);
        Self {
            settings,
            intake,
            spool,
        }
    }
}

#[async_trait]
impl Reconciler for SpoolIntake {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let settings = self.settings.get();
        if self.spool.directory() != settings.source.dnsmasq.spool {
            self.spool = Spool::new(&settings.source.dnsmasq.spool);
        }
        if settings.links.iter().any(|link| link.source == LeaseSource::Dnsmasq) {
            let drained = self.intake.drain(&self.spool).await;
            drained.map_err(|fault| Failure::from(format!("spooled events wait: {}", with_causes(&fault))))?;
        }
        Ok(Next::Wait)
    }
}
