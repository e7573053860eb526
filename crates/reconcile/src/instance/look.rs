//! What is seen of one instance in the world.

use orchestrator_network::{AttachmentFound, Flaw, NetworkError};
use orchestrator_plugin::{FoundState, Running};

use super::machine::Sight;
use super::{Orchestrator, alias_prefix, container};
use orchestrator_model::Instance;

impl Orchestrator {
    /// Looks at one instance: in the engine, on its bridge, within its network, and at what its checks have come to.
    ///
    /// What cannot be asked is unknown, not gone: an engine that is down is no reason to do anything.
    pub(super) async fn look(&self, instance: &Instance) -> Sight {
        let Some(plugin) = self.inner.plugins.get(instance.engine()) else {
            return Sight::Unknown;
        };
        let found = plugin.find(&container(instance)).await;
        if let Ok(Some(found)) = &found
            && !matches!(found.state, FoundState::Paused(_))
        {
            self.inner.pauses.over(instance.id);
        }
        match found {
            Err(fault) => {
                tracing::debug!(instance = %instance.id, error = %fault, "could not look");
                Sight::Unknown
            }
            Ok(None) => Sight::Absent,
            Ok(Some(found)) => match found.state {
                FoundState::Created => Sight::Stopped { code: None },
                FoundState::Exited { code } => Sight::Stopped { code: Some(code) },
                FoundState::Paused(_) if self.inner.pauses.lasts(instance.id) => Sight::Paused,
                FoundState::Paused(_) => Sight::Unknown,
                FoundState::Running(running) => match self.look_at_wiring(instance).await {
                    Sight::Running => self.look_inside(instance, &running).await,
                    wrong => wrong,
                },
            },
        }
    }

    async fn look_inside(&self, instance: &Instance, running: &Running) -> Sight {
        if let Some(netns) = running.netns() {
            match self.find_flaw(&self.plan_attachments(instance), netns).await {
                Ok(Some(flaw)) => return Sight::Flawed(flaw),
                Ok(None) => {}
                // Its process has just ended: the engine tells of it.
                Err(NetworkError::NamespaceGone { .. }) => return Sight::Unknown,
                Err(fault) => tracing::debug!(instance = %instance.id, error = %fault, "could not look inside"),
            }
        }
        match self.inner.checks.mute(instance.id) {
            Some(silence) => Sight::Silent(silence),
            None => Sight::Running,
        }
    }

    async fn look_at_wiring(&self, instance: &Instance) -> Sight {
        let mark = alias_prefix(self.inner.mark);
        for plan in self.plan_attachments(instance) {
            match self.inner.network.find_attachment(&plan.host_interface, &mark).await {
                Err(_) => return Sight::Unknown,
                Ok(Some(found)) if !is_on(&found, &plan.bridge) => return Sight::Unwired,
                Ok(Some(found)) if plan.isolated != found.isolated => return Sight::Flawed(Flaw::OtherIsolation),
                Ok(Some(_)) => {}
                Ok(None) => return Sight::Unwired,
            }
        }
        Sight::Running
    }
}

/// Whether an attachment is up, and on the bridge of this network.
pub(super) fn is_on(found: &AttachmentFound, network: &str) -> bool {
    found.up && found.bridge.as_deref() == Some(network)
}
