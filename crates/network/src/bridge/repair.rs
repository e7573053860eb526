//! Bringing a bridge back to its plan.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use netlink_packet_route::link::{BridgeStpState, InfoBridge, LinkMessage};
use rtnetlink::{LinkBridge, LinkMessageBuilder, LinkUnspec};

use super::{Bridge, BridgeFlaw, BridgeIdentity, BridgePlan, ObservedBridge};
use crate::address::{add_address, list_all_addresses};
use crate::join::prefix_of;
use crate::link::{find_link, list_links};
use crate::request::answer;
use crate::{Network, NetworkError};

impl Network {
    /// Mends every flaw that was observed of a bridge, but for [`NotMember`](BridgeFlaw::NotMember): that is the
    /// sockets' to mend.
    ///
    /// # Errors
    ///
    /// As [`ensure_bridge`](Self::ensure_bridge).
    pub async fn repair_bridge(
        &self,
        plan: &BridgePlan,
        known: &BridgeIdentity,
        observed: &ObservedBridge,
    ) -> Result<(), NetworkError> {
        let bridge = &observed.bridge;
        for options in options(bridge, &observed.flaws) {
            let changed = answer(self.netlink.link().change(options).execute()).await;
            changed.map_err(|failure| failure.doing(format!("setting the options of bridge {}", bridge.name)))?;
        }
        for flaw in &observed.flaws {
            if let BridgeFlaw::OtherLinkLayer { before } = flaw {
                let change = LinkUnspec::new_with_index(bridge.index).address(before.to_vec());
                self.change_bridge(change, &bridge.name).await?;
            }
        }
        self.ensure_bridge(plan).await?;
        self.mend_joins(bridge, prefix_of(&plan.mark)).await?;
        self.ensure_link_local(bridge, known).await
    }

    /// Gives a bridge a link-local address if it has a carrier and none: the one that hosts know, or else the one that
    /// the kernel would make of its link-layer address (RFC 4291, appendix A).
    async fn ensure_link_local(&self, bridge: &Bridge, known: &BridgeIdentity) -> Result<(), NetworkError> {
        // Looked for only now: when a bridge comes up, the kernel gives it one by itself.
        let Some(link) = find_link(&self.netlink, &bridge.name)
            .await?
            .filter(|link| link.carrier)
        else {
            return Ok(());
        };
        let held = list_all_addresses(&self.netlink).await?;
        let is_own = |address: Ipv6Addr| address.is_unicast_link_local();
        if held
            .iter()
            .any(|held| held.interface == link.index && is_own(held.address.addr()))
        {
            return Ok(());
        }
        let expected = bridge.ours || known.link_local.is_some();
        let Some(address) = known.link_local.or(link.mac.map(of_mac)).filter(|_| expected) else {
            return Ok(());
        };
        let address = Ipv6Net::new_assert(address, 64);
        match add_address(&self.netlink, link.index, address).await {
            Ok(_) => Ok(()),
            Err(failure) => Err(failure.doing(format!("adding {address} to bridge {}", bridge.name))),
        }
    }

    /// Refuses to make a bridge that only has another name now: two with one address would lead packets astray.
    pub(super) async fn check_not_renamed(&self, plan: &BridgePlan) -> Result<(), NetworkError> {
        let Some(address) = plan.address else { return Ok(()) };
        let held = list_all_addresses(&self.netlink).await?;
        let holds = |index| {
            held.iter()
                .any(|held| held.interface == index && held.address.addr() == address.addr())
        };
        let links = list_links(&self.netlink).await?;
        let ours = links
            .into_iter()
            .filter(|link| link.is_kind("bridge") && link.is_ours() && link.alias == plan.mark);
        match ours.into_iter().find(|link| holds(link.index)) {
            None => Ok(()),
            Some(renamed) => Err(NetworkError::BridgeRenamed {
                bridge: plan.name.clone(),
                now: renamed.name,
            }),
        }
    }
}

/// The messages that set options back; none when they are as planned.
///
/// The spanning tree goes first: with it the kernel takes no forward delay of 0. VLAN filtering is named only where it
/// was found on: a kernel without it refuses even to switch it off.
fn options(bridge: &Bridge, flaws: &[BridgeFlaw]) -> Vec<LinkMessage> {
    if !flaws.iter().any(|flaw| matches!(flaw, BridgeFlaw::Option(_))) {
        return Vec::new();
    }
    let message = || LinkMessageBuilder::<LinkBridge>::new(&bridge.name);
    let mut others = message().forward_delay(0).mcast_snooping(false);
    if flaws.contains(&BridgeFlaw::Option("vlan_filtering")) {
        others = others.append_info_data(InfoBridge::VlanFiltering(false));
    }
    vec![message().stp_state(BridgeStpState::Disabled).build(), others.build()]
}

/// The link-local address of a link-layer address.
fn of_mac([a, b, c, d, e, f]: [u8; 6]) -> Ipv6Addr {
    let group = |high, low| u16::from_be_bytes([high, low]);
    Ipv6Addr::new(
        0xfe80,
        0,
        0,
        0,
        group(a ^ 2, b),
        group(c, 0xff),
        group(0xfe, d),
        group(e, f),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_local_address_is_made_as_the_kernel_makes_it() {
        let address = of_mac([0x02, 0x6f, 0x12, 0x34, 0x56, 0x78]);
        assert_eq!(address, "fe80::6f:12ff:fe34:5678".parse::<Ipv6Addr>().unwrap());
    }
}
