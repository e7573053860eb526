//! The look-out for hosts that ask nobody.

use orchestrator_host::Bridge;
use tokio_util::sync::CancellationToken;

use super::Parts;
use orchestrator_runtime::causes::with_causes;
use orchestrator_settings::LinkSettings;
use orchestrator_source::neighbors::{self, Neighbors};

/// A look-out, and the settings that it goes by.
pub(super) struct LookOut {
    neighbors: Neighbors,
    link: LinkSettings,
}

impl Parts {
    /// Looks out while the settings want it. When they change it begins anew: nothing is lost, as all that it knows is
    /// recorded, and the kernel tells it of every neighbour there is.
    pub(super) async fn look(
        &self,
        mut look_out: Option<LookOut>,
        bridge: &Bridge,
        stop: &CancellationToken,
    ) -> Result<(), String> {
        loop {
            if let Some(LookOut { neighbors, link }) = look_out {
                let over = stop.child_token();
                let follow = async {
                    self.is_wanted(&over, |now| *now != link).await;
                    over.cancel();
                };
                tokio::join!(neighbors.run(&over), follow);
            }
            if !self.is_wanted(stop, |link| link.neighbors.is_some()).await {
                return Ok(());
            }
            look_out = self.recall_neighbors(bridge).await?;
        }
    }

    /// `None` where the settings want no look-out.
    pub(super) async fn recall_neighbors(&self, bridge: &Bridge) -> Result<Option<LookOut>, String> {
        let settings = self.context.settings.get();
        let link = settings.link(&self.bridge);
        let Some((link, wanted)) = link.and_then(|link| Some((link, link.neighbors.as_ref()?))) else {
            return Ok(None);
        };
        let parts = neighbors::Parts {
            link: link.clone(),
            bridge: bridge.clone(),
            network: self.network.clone(),
            store: self.store.clone(),
            recorder: self.recorder.clone(),
            clock: self.context.clock,
            metrics: self.context.metrics.clone(),
        };
        let recalled = Neighbors::recall(parts, wanted).await;
        let neighbors = recalled.map_err(|fault| with_causes(&fault))?;
        let link = link.clone();
        Ok(Some(LookOut { neighbors, link }))
    }
}
