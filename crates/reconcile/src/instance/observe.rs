//! Observes one instance.

use orchestrator_host::{Depth, Observation};

use super::Orchestrator;
use super::machine::Observed;
use super::request::instance_ref;
use super::turns::Work;
use orchestrator_model::Instance;

impl Orchestrator {
    /// Observes one instance by one call to its host, and combines that with the results of its checks.
    ///
    /// If the host cannot answer, the state is unknown, not gone: an engine that is down is no reason to do anything.
    pub(super) async fn observe(&self, instance: &Instance) -> Observed {
        let Some(host) = self.host_of(instance) else {
            return Observed::Unknown;
        };
        let seen = {
            let _turn = self
                .inner
                .turns
                .take(instance.host.as_ref(), instance.engine(), Work::Observe)
                .await;
            host.see(&instance_ref(instance), Depth::Whole).await
        };
        let seen = seen.unwrap_or_else(|fault| {
            tracing::debug!(instance = %instance.id, error = %fault, "could not observe");
            Observation::Unknown
        });
        if !matches!(seen, Observation::Unknown | Observation::Paused) {
            self.inner.pauses.over(instance.id);
        }
        match seen {
            Observation::Unknown => Observed::Unknown,
            Observation::Absent => Observed::Absent,
            Observation::Stopped { code } => Observed::Stopped { code },
            Observation::Incomplete { place, lack } => Observed::Incomplete { place, lack },
            Observation::Paused if self.inner.pauses.lasts(instance.id) => Observed::Paused,
            Observation::Paused => Observed::Unknown,
            // One that was ready has all its addresses.
            Observation::Unwired | Observation::AwaitsAddress => Observed::Unwired,
            Observation::Flawed(flaw) => Observed::Flawed(flaw),
            Observation::Running => match self.inner.checks.mute(instance.id) {
                Some(silence) => Observed::Silent(silence),
                None => Observed::Running,
            },
        }
    }
}
