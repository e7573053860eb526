//! The router advertisements of a link.

use orchestrator_network::Bridge;

use super::Parts;
use orchestrator_source::advertiser::{Advertiser, Ending};

impl Parts {
    /// Advertises while the settings want it.
    pub(super) async fn advertise(
        &self,
        mut advertiser: Option<Advertiser>,
        bridge: &Bridge,
        ending: &Ending,
    ) -> Result<(), String> {
        loop {
            if let Some(advertiser) = advertiser {
                let advertised = advertiser.run(ending).await;
                advertised.map_err(|fault| format!("{}: {fault}", self.bridge))?;
            }
            if !self.is_wanted(&ending.stop, |link| link.advertisement.is_some()).await {
                return Ok(());
            }
            advertiser = self.open_advertiser(bridge)?;
        }
    }

    /// `None` where the settings want no advertisements.
    pub(super) fn open_advertiser(&self, bridge: &Bridge) -> Result<Option<Advertiser>, String> {
        let (settings, metrics) = (self.context.settings.clone(), self.context.metrics.clone());
        Advertiser::open(&self.bridge, bridge.index, settings, metrics).map_err(|fault| {
            format!(
                "cannot advertise on {}: {fault}; raw sockets take CAP_NET_RAW",
                self.bridge
            )
        })
    }
}
