//! The router advertisements of a link.

use orchestrator_host::{Bridge, BridgePlan, BridgePurpose, NetworkError};

use super::Parts;
use orchestrator_runtime::causes::with_causes;
use orchestrator_source::advertiser::{Advertiser, Ending, Timeline};

impl Parts {
    /// Advertises while the settings want it.
    pub(super) async fn advertise(
        &self,
        mut advertiser: Option<Advertiser>,
        bridge: &Bridge,
        ending: &Ending,
    ) -> Result<(), String> {
        loop {
            match advertiser {
                Some(advertiser) => {
                    let advertised = advertiser.run(ending).await;
                    advertised.map_err(|fault| format!("{}: {fault}", self.bridge))?;
                }
                // The settings changed while no advertiser ran.
                None => self.withdraw(bridge)?,
            }
            if !self.is_wanted(&ending.stop, |link| link.advertisement.is_some()).await {
                return Ok(());
            }
            advertiser = self.open_advertiser(bridge)?;
        }
    }

    /// Withdraws this machine as a router of a link that has left the settings. Does nothing if the bridge is
    /// gone: no host is reachable through it.
    pub(super) async fn withdraw_for_good(&self) -> Result<(), String> {
        // Only its number is asked for: nothing is wanted of it any more.
        let plan = BridgePlan {
            name: self.bridge.clone(),
            purpose: BridgePurpose::Link,
            create: false,
            address: None,
            services: Vec::new(),
            mtu: None,
            mac: None,
            link_local: None,
        };
        match self.host.see_bridge(&plan, &[]).await {
            Ok(Some(found)) => self.withdraw(&found.bridge),
            Ok(None) => Ok(()),
            Err(fault) if matches!(fault.network(), Some(NetworkError::NotABridge { .. })) => Ok(()),
            Err(fault) => Err(with_causes(&fault)),
        }
    }

    fn withdraw(&self, bridge: &Bridge) -> Result<(), String> {
        let withdrawn = self
            .advertised
            .withdraw_on(&self.bridge, bridge.index, &self.context.metrics);
        withdrawn.map_err(|fault| format!("cannot withdraw this machine as a router of {}: {fault}", self.bridge))
    }

    /// `None` where the settings want no advertisements.
    pub(super) fn open_advertiser(&self, bridge: &Bridge) -> Result<Option<Advertiser>, String> {
        let (settings, metrics) = (self.context.settings.clone(), self.context.metrics.clone());
        let advertised = self.advertised.clone();
        let timeline = Timeline {
            recorder: self.recorder.clone(),
            clock: self.context.clock,
        };
        Advertiser::open(&self.bridge, bridge.index, settings, advertised, metrics, timeline).map_err(|fault| {
            format!(
                "cannot advertise on {}: {fault}; raw sockets take CAP_NET_RAW",
                self.bridge
            )
        })
    }
}
