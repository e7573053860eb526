//! The watch on a link's bridge.

use orchestrator_network::{Bridge, BridgePlan};
use tokio_util::sync::CancellationToken;

use super::{PERIOD, Parts, condition};

impl Parts {
    /// Brings the bridge to what the settings come to want of it. Ends the link's parts when the bridge is gone, or is
    /// another one by the same name.
    pub(super) async fn watch_bridge(
        &self,
        bridge: &Bridge,
        mut ensured: BridgePlan,
        stop: &CancellationToken,
    ) -> Result<(), String> {
        let mut settings = self.context.settings.clone();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = settings.changed() => {}
                () = tokio::time::sleep(PERIOD) => {}
            }
            // A kernel that does not answer says nothing about the bridge.
            let Ok(now) = self.network.find_bridge(&bridge.name).await else {
                continue;
            };
            if now.is_none_or(|now| now.index != bridge.index) {
                stop.cancel();
                return Err(format!("bridge {} was removed", bridge.name));
            }
            if let Some(plan) = self.plan().flatten().filter(|plan| *plan != ensured) {
                let conditions = &self.context.conditions;
                match self.ensure_bridge(&plan).await {
                    Ok(_) => {
                        conditions.set_ok(&condition(&self.bridge));
                        ensured = plan;
                    }
                    Err(reason) => conditions.set_waiting(&condition(&self.bridge), reason),
                }
            }
        }
    }
}
