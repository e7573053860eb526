//! Comparing a bridge with its plan, without changing anything.

use std::net::Ipv6Addr;

use super::{Bridge, BridgeFlaw, BridgeHazard, BridgePlan, check_mtu, flaw, hazard, missing_groups};
use crate::address::{Held, list_all_addresses};
use crate::join::prefix_of;
use crate::link::{find_link, find_link_by_index};
use crate::{Network, NetworkError};

/// The identity of a bridge to its hosts, as it was when it was first served.
///
/// Unless somebody sets its link-layer address, a bridge takes that of one of its ports, and forms its link-local
/// address from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BridgeIdentity {
    /// Its link-layer address.
    pub mac: Option<[u8; 6]>,
    /// Its link-local address: the router's, to hosts. `None` until it was observed.
    pub link_local: Option<Ipv6Addr>,
}

/// A bridge as it was observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedBridge {
    /// The bridge.
    pub bridge: Bridge,
    /// Its link-layer and link-local address now.
    pub identity: BridgeIdentity,
    /// Differences from the plan, which we repair.
    pub flaws: Vec<BridgeFlaw>,
    /// What keeps clients from their service, and only somebody else can repair.
    pub hazards: Vec<BridgeHazard>,
}

impl Network {
    /// Observes a bridge: what it lacks of its plan, of what hosts know it by, and of the `groups` that sockets joined
    /// on it. `None` when there is no such bridge.
    ///
    /// The calling thread must be in the network namespace that this was opened in.
    ///
    /// # Errors
    ///
    /// [`NotABridge`](NetworkError::NotABridge) if the name belongs to something else,
    /// [`MtuTooSmall`](NetworkError::MtuTooSmall) when there can be no IPv6 on it.
    pub async fn observe_bridge(
        &self,
        plan: &BridgePlan,
        known: &BridgeIdentity,
        groups: &[Ipv6Addr],
    ) -> Result<Option<ObservedBridge>, NetworkError> {
        let Some(link) = find_link(&self.netlink, &plan.name).await? else {
            return Ok(None);
        };
        let (switching, carrier) = (link.switching, link.carrier);
        let bridge = Bridge::try_from(link)?;
        check_mtu(&bridge)?;
        let held = list_all_addresses(&self.netlink).await?;
        let own = held.iter().filter(|held| held.interface == bridge.index).copied();
        let own: Vec<Held> = own.collect();
        let mut flaws = flaw::of_link(&bridge, switching, known);
        flaws.extend(flaw::of_settings(&bridge));
        flaws.extend(flaw::of_addresses(&bridge, plan, known, &own, carrier));
        flaws.extend(
            missing_groups(bridge.index, groups)
                .into_iter()
                .map(BridgeFlaw::NotMember),
        );
        flaws.extend(self.flaws_of_joins(&bridge, prefix_of(&plan.mark)).await?);
        let identity = BridgeIdentity {
            mac: bridge.mac,
            link_local: link_local(&own, known.link_local),
        };
        let mut hazards = hazard::of_switching(&bridge, switching);
        for interface in hazard::elsewhere(&bridge, plan, &held) {
            let found = find_link_by_index(&self.netlink, interface).await?;
            hazards.extend(found.and_then(|link| hazard::of_address(plan, link.name)));
        }
        Ok(Some(ObservedBridge {
            bridge,
            identity,
            flaws,
            hazards,
        }))
    }
}

/// The link-local address among these; the known one if it is there.
fn link_local(own: &[Held], known: Option<Ipv6Addr>) -> Option<Ipv6Addr> {
    let all = || {
        own.iter()
            .map(|held| held.address.addr())
            .filter(Ipv6Addr::is_unicast_link_local)
    };
    all().find(|address| Some(*address) == known).or_else(|| all().next())
}
