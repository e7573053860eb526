//! Observes one instance.

use orchestrator_host::{Depth, Observation};

use super::Orchestrator;
use super::machine::Sight;
use super::request::instance_ref;
use super::turns::Work;
use orchestrator_model::Instance;

impl Orchestrator {
    /// Observes one instance by one call to its host, and combines that with the results of its checks.
    ///
    /// If the host cannot answer, the state is unknown, not gone: an engine that is down is no reason to do anything.
    pub(super) async fn observe(&self, instance: &Instance) -> Sight {
        let Some(host) = self.host_of(instance) else {
            return Sight::Unknown;
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
            Observation::Unknown => Sight::Unknown,
            Observation::Absent => Sight::Absent,
            Observation::Stopped { code } => Sight::Stopped { code },
            Observation::Incomplete { place, lack } => Sight::Incomplete { place, lack },
            Observation::Paused if self.inner.pauses.lasts(instance.id) => Sight::Paused,
            Observation::Paused => Sight::Unknown,
            // One that was ready has all its addresses.
            Observation::Unwired | Observation::AwaitsAddress => Sight::Unwired,
            Observation::Flawed(flaw) => Sight::Flawed(flaw),
            Observation::Running => match self.inner.checks.mute(instance.id) {
                Some(silence) => Sight::Silent(silence),
                None => Sight::Running,
            },
        }
    }
}
