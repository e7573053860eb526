//! Makes joined bridges, and mends their joins.

use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, BridgeMulticastRouterType, In6AddrGenMode, InfoBridgePort, InfoData, InfoPortData,
    InfoPortKind, InfoVeth, LinkAttribute, LinkMessage,
};
use nix::errno::Errno;
use rtnetlink::{LinkMessageBuilder, LinkUnspec, LinkVeth};

use super::mark::{JoinMark, ends_of};
use crate::link::{LINK_GROUP, Link, find_link, remove_link};
use crate::request::answer;
use crate::sysctl::Ipv6Settings;
use crate::{Bridge, BridgeFlaw, Network, NetworkError, thread};

impl Network {
    /// Brings a joined bridge and its join to what they are to be. `Joins::making` is held meanwhile.
    ///
    /// The bridge gets its mark last: one without a mark takes no instances.
    pub(super) async fn ensure_joined(
        &self,
        bridge: &Bridge,
        mark: &JoinMark,
        name: &str,
    ) -> Result<Bridge, NetworkError> {
        let joined = self.create_bridge(name).await?;
        let found = find_link(&self.netlink, name).await?.unwrap_or_default();
        check_ours(&found, mark)?;
        self.switch_ipv6_off(name).await?;
        if let Err(fault) = self.ensure_ends(bridge, mark, &joined).await {
            if found.alias.is_empty() {
                // Nothing is on it yet.
                remove_link(&self.netlink, joined.index, name).await?;
            }
            return Err(fault);
        }
        let up = LinkUnspec::new_with_name(name)
            .alias(mark.alias())
            .append_extra_attribute(no_address())
            .up();
        self.change(up.build(), name).await?;
        let made = self.find_bridge(name).await?;
        made.ok_or_else(|| NetworkError::BridgeMissing { bridge: name.into() })
    }

    /// A joined bridge switches packets and takes part in nothing.
    async fn switch_ipv6_off(&self, name: &str) -> Result<(), NetworkError> {
        let interface = name.to_owned();
        thread::run(&self.own, move || {
            Ipv6Settings::open()?.ensure(&interface, "disable_ipv6", "1")
        })
        .await
    }

    /// Makes the pair unless it is there, and both ends ports of their bridges.
    async fn ensure_ends(&self, bridge: &Bridge, mark: &JoinMark, joined: &Bridge) -> Result<(), NetworkError> {
        let [near, far] = ends_of(&joined.name);
        let found = [
            find_link(&self.netlink, &near).await?,
            find_link(&self.netlink, &far).await?,
        ];
        for end in found.iter().flatten() {
            check_ours(end, mark)?;
        }
        let is_pair = matches!(&found, [Some(one), Some(other)] if one.peer == Some(other.index));
        if !is_pair {
            for end in found.iter().flatten() {
                remove_link(&self.netlink, end.index, &end.name).await?;
            }
            let pair = pair_message(&near, &far, bridge.mtu);
            let made = answer(self.netlink.link().add(pair).execute()).await;
            made.map_err(|failure| failure.doing(format!("making interface {near}")))?;
        }
        for (end, of, isolated) in [(&near, bridge, mark.isolated), (&far, joined, false)] {
            // Down, so that nothing passes before the port is isolated.
            let controller = LinkUnspec::new_with_name(end)
                .controller(of.index)
                .mtu(bridge.mtu)
                .down();
            match answer(self.netlink.link().change(controller.build()).execute()).await {
                Err(failure) if failure.is(Errno::EXFULL) => {
                    let bridge = of.name.clone();
                    return self.without_pair(&near, NetworkError::BridgeFull { bridge }).await;
                }
                Err(failure) => return Err(failure.doing(format!("making {end} a port of {}", of.name))),
                Ok(()) => {}
            }
            self.change(end_message(end, mark, isolated), end).await?;
        }
        Ok(())
    }

    /// Removes a pair that is of no use, and fails.
    async fn without_pair(&self, near: &str, fault: NetworkError) -> Result<(), NetworkError> {
        if let Some(near) = find_link(&self.netlink, near).await? {
            remove_link(&self.netlink, near.index, &near.name).await?;
        }
        Err(fault)
    }

    async fn change(&self, message: LinkMessage, name: &str) -> Result<(), NetworkError> {
        let changed = answer(self.netlink.link().change(message).execute()).await;
        changed.map_err(|failure| failure.doing(format!("setting up interface {name}")))
    }

    /// The flaws of the joins of a bridge. `mark` is any mark of this daemon.
    pub(crate) async fn flaws_of_joins(&self, bridge: &Bridge, prefix: &str) -> Result<Vec<BridgeFlaw>, NetworkError> {
        if self.joins.is_none() {
            return Ok(Vec::new());
        }
        let joined = self.joined_with(&bridge.name, prefix).await?.into_iter();
        let broken = joined.filter(|joined| !joined.connected);
        Ok(broken.map(|joined| BridgeFlaw::Join { joined: joined.name }).collect())
    }

    /// Mends the joins of a bridge that are broken.
    pub(crate) async fn mend_joins(&self, bridge: &Bridge, prefix: &str) -> Result<(), NetworkError> {
        let Some(joins) = &self.joins else { return Ok(()) };
        let _making = joins.making.lock().await;
        let joined = self.joined_with(&bridge.name, prefix).await?;
        for broken in joined.iter().filter(|joined| !joined.connected) {
            self.ensure_joined(bridge, &broken.mark, &broken.name).await?;
        }
        Ok(())
    }
}

/// Refuses what somebody else made under the name of ours.
fn check_ours(link: &Link, mark: &JoinMark) -> Result<(), NetworkError> {
    let unfinished = link.alias.is_empty();
    if link.is_ours() && (unfinished || link.alias == mark.alias()) {
        return Ok(());
    }
    Err(NetworkError::InterfaceTaken {
        interface: link.name.clone(),
        alias: link.alias.clone(),
    })
}

/// Both ends are in our group from the start, and have the MTU of the link.
fn pair_message(near: &str, far: &str, mtu: u32) -> LinkMessage {
    let peer = LinkUnspec::new_with_name(far).mtu(mtu).link_group(LINK_GROUP);
    LinkMessageBuilder::<LinkVeth>::new(near, far)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(peer.build())))
        .mtu(mtu)
        .link_group(LINK_GROUP)
        .build()
}

/// Marks an end that is a port already, and brings it up.
fn end_message(end: &str, mark: &JoinMark, isolated: bool) -> LinkMessage {
    let settings = vec![
        InfoBridgePort::Isolated(isolated),
        InfoBridgePort::MulticastRouter(BridgeMulticastRouterType::Permanent),
    ];
    LinkUnspec::new_with_name(end)
        .alias(mark.alias())
        .set_port_kind(InfoPortKind::Bridge)
        .set_port_data(InfoPortData::BridgePort(settings))
        .append_extra_attribute(no_address())
        .up()
        .build()
}

fn no_address() -> LinkAttribute {
    let none = AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)]);
    LinkAttribute::AfSpecUnspec(vec![none])
}
