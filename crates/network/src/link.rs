//! A link as the kernel shows it, and how to find one.

use futures_util::TryStreamExt;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::link::{
    BridgeStpState, InfoBridge, InfoData, InfoKind, InfoPortData, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo,
    LinkMessage,
};
use nix::errno::Errno;
use rtnetlink::Handle;

use crate::NetworkError;
use crate::port::PortSettings;
use crate::request::answer;

/// The link group of everything we make ("orc" and a zero byte).
///
/// The kernel sets a group in the message that makes a link, and an alias only in a later one: a link in this group
/// without an alias is one that we were interrupted in making.
pub const LINK_GROUP: u32 = 0x6f72_6300;

/// The last of the groups in which links wait to be removed together; [`LINK_GROUP`] comes before the first.
pub(crate) const LAST_GROUP: u32 = LINK_GROUP + 0xff;

/// The attributes of an interface that this crate uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its number in its namespace.
    pub(crate) index: u32,
    /// Its name.
    pub(crate) name: String,
    /// Its kind, such as `bridge` or `veth`. A physical interface has none.
    pub(crate) kind: Option<String>,
    /// Its alias; empty if it has none.
    pub(crate) alias: String,
    /// Its group; 0 if nobody chose one.
    pub(crate) group: u32,
    /// Whether it is administratively up.
    pub(crate) up: bool,
    /// Whether it has a carrier.
    pub(crate) carrier: bool,
    /// Its link-layer address.
    pub(crate) mac: Option<[u8; 6]>,
    /// Its largest packet in bytes.
    pub(crate) mtu: u32,
    /// Index of the bridge that it is a port of.
    pub(crate) controller: Option<u32>,
    /// Index of the other end of a veth pair, in that end's namespace.
    pub(crate) peer: Option<u32>,
    /// This namespace's number for the other end's namespace, if that is another one.
    pub(crate) peer_namespace: Option<i32>,
    /// Its settings as a port of a bridge.
    pub(crate) port: PortSettings,
    /// How it passes packets on, if it is a bridge.
    pub(crate) switching: Switching,
}

/// How a bridge passes packets on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Switching {
    /// Whether it runs the spanning tree protocol.
    pub(crate) spanning_tree: bool,
    /// How long a new port waits in each state before it forwards, in hundredths of a second.
    pub(crate) forward_delay: u32,
    /// Whether it passes multicast only to ports that asked for it.
    pub(crate) multicast_snooping: bool,
    /// Whether it looks at VLANs.
    pub(crate) vlan_filtering: bool,
    /// The VLAN of a new port; 0 for none.
    pub(crate) default_vlan: u16,
}

impl Switching {
    /// Takes in one option of a bridge.
    fn learn(&mut self, option: &InfoBridge) {
        match option {
            InfoBridge::StpState(state) => self.spanning_tree = *state != BridgeStpState::Disabled,
            InfoBridge::ForwardDelay(delay) => self.forward_delay = *delay,
            InfoBridge::MulticastSnooping(snoops) => self.multicast_snooping = *snoops,
            InfoBridge::VlanFiltering(filters) => self.vlan_filtering = *filters,
            InfoBridge::VlanDefaultPvid(vlan) => self.default_vlan = *vlan,
            _ => {}
        }
    }
}

impl Link {
    /// Whether we made it, or were about to.
    pub(crate) fn is_ours(&self) -> bool {
        (LINK_GROUP..=LAST_GROUP).contains(&self.group)
    }

    /// Whether it is of this kind.
    pub(crate) fn is_kind(&self, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind)
    }
}

impl From<LinkMessage> for Link {
    fn from(message: LinkMessage) -> Self {
        let header = message.header;
        let up = header.flags.contains(LinkFlags::Up);
        let mut link = Self {
            index: header.index,
            up,
            carrier: header.flags.contains(LinkFlags::LowerUp),
            ..Self::default()
        };
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::IfAlias(alias) => link.alias = alias,
                LinkAttribute::Group(group) => link.group = group,
                LinkAttribute::Address(mac) => link.mac = mac.try_into().ok(),
                LinkAttribute::Mtu(mtu) => link.mtu = mtu,
                LinkAttribute::Controller(index) => link.controller = Some(index),
                LinkAttribute::Link(index) => link.peer = Some(index),
                LinkAttribute::LinkNetNsId(id) => link.peer_namespace = Some(id),
                LinkAttribute::ProtoInfoBridge(settings) => {
                    settings.iter().for_each(|setting| link.port.learn_flag(setting));
                }
                LinkAttribute::LinkInfo(details) => details.into_iter().for_each(|detail| link.learn(detail)),
                _ => {}
            }
        }
        link
    }
}

impl Link {
    /// Reads the attributes that depend on its kind.
    fn learn(&mut self, detail: LinkInfo) {
        match detail {
            LinkInfo::Kind(kind) => self.kind = Some(kind.to_string()),
            LinkInfo::Data(InfoData::Bridge(options)) => {
                options.iter().for_each(|option| self.switching.learn(option));
            }
            LinkInfo::PortData(InfoPortData::BridgePort(settings)) => {
                settings.iter().for_each(|setting| self.port.learn(setting));
            }
            _ => {}
        }
    }
}

/// The link of this name, if there is one.
pub(crate) async fn find_link(netlink: &Handle, name: &str) -> Result<Option<Link>, NetworkError> {
    let found = answer(netlink.link().get().match_name(name).execute().try_next()).await;
    match found {
        Ok(message) => Ok(message.map(Link::from)),
        Err(failure) if failure.is(Errno::ENODEV) => Ok(None),
        Err(failure) => Err(failure.doing(format!("looking for interface {name}"))),
    }
}

/// The link of this number, if there is one.
pub(crate) async fn find_link_by_index(netlink: &Handle, index: u32) -> Result<Option<Link>, NetworkError> {
    let found = answer(netlink.link().get().match_index(index).execute().try_next()).await;
    match found {
        Ok(message) => Ok(message.map(Link::from)),
        Err(failure) if failure.is(Errno::ENODEV) => Ok(None),
        Err(failure) => Err(failure.doing(format!("looking for interface number {index}"))),
    }
}

/// All links, without their statistics.
pub(crate) async fn list_links(netlink: &Handle) -> Result<Vec<Link>, NetworkError> {
    list(netlink, None).await
}

/// All bridges. The kernel leaves out other links.
pub(crate) async fn list_bridges(netlink: &Handle) -> Result<Vec<Link>, NetworkError> {
    let mut found = list(netlink, Some(InfoKind::Bridge)).await?;
    // Kernels that know no such filter leave out nothing.
    found.retain(|link| link.is_kind("bridge"));
    Ok(found)
}

async fn list(netlink: &Handle, kind: Option<InfoKind>) -> Result<Vec<Link>, NetworkError> {
    let mut request = netlink
        .link()
        .get()
        .set_filter_mask(AddressFamily::Unspec, vec![LinkExtentMask::SkipStats]);
    if let Some(kind) = kind {
        let filter = LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]);
        request.message_mut().attributes.push(filter);
    }
    let links = request.execute().map_ok(Link::from).try_collect();
    answer(links)
        .await
        .map_err(|failure| failure.doing("listing the interfaces"))
}

/// Removes the link of this index; one that is gone is a success.
pub(crate) async fn remove_link(netlink: &Handle, index: u32, name: &str) -> Result<(), NetworkError> {
    match answer(netlink.link().del(index).execute()).await {
        Err(failure) if !failure.is(Errno::ENODEV) => Err(failure.doing(format!("removing interface {name}"))),
        _ => Ok(()),
    }
}
