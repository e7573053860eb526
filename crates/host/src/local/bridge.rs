//! Bridges of links and of networks.

use std::net::Ipv6Addr;

use orchestrator_network as network;
use orchestrator_network::{Bridge, BridgeFlaw, BridgeIdentity, ObservedBridge};
use orchestrator_runtime::causes::with_causes;

use super::LocalHost;
use crate::{BridgePlan, BridgePurpose, Cause, FoundBridge};

impl LocalHost {
    /// Makes a bridge what it is planned to be, and tells hosts its addresses.
    pub(super) async fn set_bridge(&self, plan: &BridgePlan) -> Result<(), Cause> {
        let kernel_plan = self.bridge_plan(plan);
        let known = known(plan);
        let bridge = match self.network().observe_bridge(&kernel_plan, &known, &[]).await? {
            Some(observed) if !observed.flaws.is_empty() => {
                self.network().repair_bridge(&kernel_plan, &known, &observed).await?;
                observed.bridge
            }
            _ => self.network().ensure_bridge(&kernel_plan).await?,
        };
        if let Some(mtu) = plan.mtu {
            self.network().ensure_bridge_mtu(&bridge, mtu).await?;
        }
        self.announce_bridge(plan, &bridge);
        Ok(())
    }

    /// Compares a bridge with its plan.
    pub(super) async fn observe_bridge(
        &self,
        plan: &BridgePlan,
        groups: &[Ipv6Addr],
    ) -> Result<Option<ObservedBridge>, Cause> {
        let observed = self
            .network()
            .observe_bridge(&self.bridge_plan(plan), &known(plan), groups)
            .await?;
        Ok(observed.map(|mut observed| {
            let bridge = &observed.bridge;
            if plan.mtu.is_some_and(|mtu| bridge.ours && bridge.mtu != mtu) {
                observed.flaws.push(BridgeFlaw::OtherMtu(bridge.mtu));
            }
            observed
        }))
    }

    /// Removes a bridge that we made for a network, unless something is on it. Any other bridge is left as it is.
    pub(super) async fn drop_bridge(&self, name: &str) -> Result<(), Cause> {
        let mark = self.bridge_mark(BridgePurpose::Network);
        // The join of a bridge that nobody needs would keep it.
        self.network().remove_joined(&self.alias_prefix()).await?;
        Ok(self.network().remove_bridge(name, &mark).await.map(drop)?)
    }

    /// The bridges that we made for networks.
    pub(super) async fn made_bridges(&self) -> Result<Vec<FoundBridge>, Cause> {
        let mark = self.bridge_mark(BridgePurpose::Network);
        let made = self.network().made_bridges(&mark).await?.into_iter();
        Ok(made
            .map(|bridge| FoundBridge {
                name: bridge.name,
                ports: bridge.ports,
            })
            .collect())
    }

    /// Tells hosts which link-layer address the bridge's addresses have. Hosts would find that by themselves, only later.
    fn announce_bridge(&self, plan: &BridgePlan, bridge: &Bridge) {
        let known = plan.mac.filter(|_| bridge.ours);
        let Some(mac) = known.or(bridge.mac) else { return };
        let address = plan.address.map(|address| address.addr());
        let services = plan.services.iter().copied();
        for address in address.into_iter().chain(services).chain(plan.link_local) {
            if let Err(fault) = self.network().announce(&bridge.name, address, mac) {
                tracing::debug!(bridge = plan.name, reason = with_causes(&fault), "not announced");
            }
        }
    }

    fn bridge_plan(&self, plan: &BridgePlan) -> network::BridgePlan {
        network::BridgePlan {
            name: plan.name.clone(),
            create: plan.create,
            address: plan.address,
            services: plan.services.clone(),
            mark: self.bridge_mark(plan.purpose),
        }
    }

    pub(super) fn bridge_mark(&self, purpose: BridgePurpose) -> String {
        format!("{}{}", self.alias_prefix(), purpose.word())
    }
}

fn known(plan: &BridgePlan) -> BridgeIdentity {
    BridgeIdentity {
        mac: plan.mac,
        link_local: plan.link_local,
    }
}
