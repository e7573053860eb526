//! Bridges: found, adopted or made.
//!
//! A bridge that was there before us is *adopted*: it is brought up and gets its address, and nothing else about it is
//! changed.
//! One that we made carries our mark and is ours to set up:
//!
//! - no spanning tree and no forward delay: a client's first packet passes;
//! - no multicast snooping: neighbour discovery must not depend on somebody's querier;
//! - its link-layer address is pinned, or it would change with the ports that come and go, and every client's entry
//!   for its router with it;
//! - it takes nothing from router advertisements, as it is the router, and its link-local address is usable at once.

mod flaw;
mod groups;
mod hazard;
mod observe;
mod remove;
mod repair;
mod service;

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use netlink_packet_route::link::BridgeStpState;
use nix::errno::Errno;
use rtnetlink::{Handle, LinkBridge, LinkMessageBuilder, LinkUnspec};

pub use self::flaw::BridgeFlaw;
pub use self::groups::missing_groups;
pub use self::hazard::BridgeHazard;
pub use self::observe::{BridgeIdentity, ObservedBridge};
pub use self::remove::MadeBridge;
use crate::address::{
    Added, add_address, add_service_address, list_addresses, list_all_addresses, remove_service_address,
};
use crate::link::{LINK_GROUP, Link, find_link};
use crate::name::{check_mark, check_name};
use crate::request::answer;
use crate::sysctl::Ipv6Settings;
use crate::{Network, NetworkError, thread};

/// The settings of a bridge that we made, under `net.ipv6.conf.BRIDGE`: IPv6 is on, nothing is taken from router
/// advertisements, and no address waits for duplicate address detection.
const SETTINGS: [(&str, &str); 3] = [("disable_ipv6", "0"), ("accept_ra", "0"), ("accept_dad", "0")];
/// The smallest MTU that IPv6 takes (RFC 8200, section 5): below it the kernel has no IPv6 on an interface.
const LEAST_MTU: u32 = 1280;

/// The plan of a link's bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgePlan {
    /// Name of the interface, at most 15 bytes.
    pub name: String,
    /// Whether to make it if it is missing.
    pub create: bool,
    /// The address that it shall have, with its prefix length.
    pub address: Option<Ipv6Net>,
    /// Further addresses, at which this machine serves something. Others with our mark are removed.
    pub services: Vec<Ipv6Addr>,
    /// Alias of a bridge that we make, 1 to 255 bytes.
    pub mark: String,
}

/// A bridge as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    /// Name of the interface.
    pub name: String,
    /// Its number: the scope of link-local addresses on it.
    pub index: u32,
    /// Whether it is administratively up.
    pub up: bool,
    /// Its link-layer address.
    pub mac: Option<[u8; 6]>,
    /// Its largest packet in bytes.
    pub mtu: u32,
    /// Whether we made it.
    pub ours: bool,
}

impl Network {
    /// The bridge of this name, if there is one.
    ///
    /// # Errors
    ///
    /// [`NotABridge`](NetworkError::NotABridge) if the name belongs to something else.
    pub async fn find_bridge(&self, name: &str) -> Result<Option<Bridge>, NetworkError> {
        find_bridge(&self.netlink, name).await
    }

    /// Brings a bridge to what is planned, and makes it if it is missing and the plan says so.
    ///
    /// # Errors
    ///
    /// [`BridgeMissing`](NetworkError::BridgeMissing) for what is only not there yet; `BadPlan`, `NotABridge`,
    /// `PrefixDiffers`, `Ipv6Disabled`, `MtuTooSmall` and `BridgeRenamed` need somebody to act.
    pub async fn ensure_bridge(&self, plan: &BridgePlan) -> Result<Bridge, NetworkError> {
        plan.check()?;
        let bridge = match self.find_bridge(&plan.name).await? {
            Some(bridge) => bridge,
            None if plan.create => {
                self.check_not_renamed(plan).await?;
                self.create_bridge(&plan.name).await?
            }
            None => {
                return Err(NetworkError::BridgeMissing {
                    bridge: plan.name.clone(),
                });
            }
        };
        check_mtu(&bridge)?;
        if bridge.ours {
            self.set_up_ours(&bridge, &plan.mark).await?;
        } else if !bridge.up {
            let up = LinkUnspec::new_with_index(bridge.index).up();
            self.change_bridge(up, &bridge.name).await?;
        }
        if let Some(address) = plan.address {
            self.ensure_bridge_address(&bridge, address).await?;
        }
        self.ensure_services(&bridge, &plan.services).await?;
        Ok(Bridge { up: true, ..bridge })
    }

    /// Makes a bridge, or finds the one that somebody made in the same moment.
    pub(crate) async fn create_bridge(&self, name: &str) -> Result<Bridge, NetworkError> {
        let message = LinkMessageBuilder::<LinkBridge>::new(name)
            .link_group(LINK_GROUP)
            .stp_state(BridgeStpState::Disabled)
            .forward_delay(0)
            .mcast_snooping(false)
            .build();
        match answer(self.netlink.link().add(message).execute()).await {
            Err(failure) if !failure.is(Errno::EEXIST) => return Err(failure.doing(format!("making bridge {name}"))),
            _ => {}
        }
        let made = self.find_bridge(name).await?;
        made.ok_or_else(|| NetworkError::BridgeMissing { bridge: name.into() })
    }

    /// Sets up what is ours to set up, and brings it up.
    async fn set_up_ours(&self, bridge: &Bridge, mark: &str) -> Result<(), NetworkError> {
        let name = bridge.name.clone();
        let set = move || {
            let settings = Ipv6Settings::open()?;
            let mut all = SETTINGS.iter();
            all.try_for_each(|(key, value)| settings.ensure(&name, key, value))
        };
        thread::run(&self.own, set).await?;
        let mut change = LinkUnspec::new_with_index(bridge.index).alias(mark).up();
        if let Some(mac) = bridge.mac.filter(|_| !bridge.up) {
            // The kernel keeps an address that it was given, also if it is the one that it has. It forgets all neighbours on
            // the bridge then, so that it is given once.
            change = change.address(mac.to_vec());
        }
        self.change_bridge(change, &bridge.name).await
    }

    /// Carries a change of a bridge out.
    async fn change_bridge(&self, change: LinkMessageBuilder<LinkUnspec>, name: &str) -> Result<(), NetworkError> {
        let changed = answer(self.netlink.link().change(change.build()).execute()).await;
        changed.map_err(|failure| failure.doing(format!("setting up bridge {name}")))
    }

    /// Gives a bridge the addresses of the plan at which this machine serves something, and removes others with our
    /// mark.
    async fn ensure_services(&self, bridge: &Bridge, wanted: &[Ipv6Addr]) -> Result<(), NetworkError> {
        let held = list_all_addresses(&self.netlink).await?;
        let own: Vec<_> = held.iter().filter(|held| held.interface == bridge.index).collect();
        let has = |address: &Ipv6Addr| own.iter().any(|held| held.address.addr() == *address);
        for address in wanted.iter().filter(|address| !has(address)) {
            match add_service_address(&self.netlink, bridge.index, *address).await {
                Ok(_) => {}
                Err(failure) if failure.is(Errno::EACCES) => {
                    return Err(NetworkError::Ipv6Disabled {
                        interface: bridge.name.clone(),
                    });
                }
                Err(failure) => return Err(failure.doing(format!("adding {address} to bridge {}", bridge.name))),
            }
        }
        let ours = own.iter().filter(|held| held.service).map(|held| held.address.addr());
        for address in ours.filter(|address| !wanted.contains(address)) {
            let removed = remove_service_address(&self.netlink, bridge.index, address).await;
            removed.map_err(|failure| failure.doing(format!("removing {address} from bridge {}", bridge.name)))?;
        }
        Ok(())
    }

    /// Gives a bridge its address if it does not have it.
    async fn ensure_bridge_address(&self, bridge: &Bridge, wanted: Ipv6Net) -> Result<(), NetworkError> {
        match add_address(&self.netlink, bridge.index, wanted).await {
            Ok(Added::New) => return Ok(()),
            Ok(Added::Found) => {}
            Err(failure) if failure.is(Errno::EACCES) => {
                return Err(NetworkError::Ipv6Disabled {
                    interface: bridge.name.clone(),
                });
            }
            Err(failure) => return Err(failure.doing(format!("adding {wanted} to bridge {}", bridge.name))),
        }
        let addresses = list_addresses(&self.netlink, bridge.index).await?;
        let found = addresses
            .iter()
            .find(|found| found.addr() == wanted.addr())
            .map(Ipv6Net::prefix_len);
        match found {
            Some(found) if found != wanted.prefix_len() => Err(NetworkError::PrefixDiffers {
                bridge: bridge.name.clone(),
                wanted,
                found,
            }),
            _ => Ok(()),
        }
    }
}

/// Refuses a bridge on which the kernel has no IPv6 because of its MTU.
pub(crate) fn check_mtu(bridge: &Bridge) -> Result<(), NetworkError> {
    if bridge.mtu >= LEAST_MTU {
        return Ok(());
    }
    Err(NetworkError::MtuTooSmall {
        interface: bridge.name.clone(),
        mtu: bridge.mtu,
    })
}

/// The bridge of this name, if there is one.
pub(crate) async fn find_bridge(netlink: &Handle, name: &str) -> Result<Option<Bridge>, NetworkError> {
    find_link(netlink, name).await?.map(Bridge::try_from).transpose()
}

impl BridgePlan {
    /// Refuses what can never be carried out.
    fn check(&self) -> Result<(), NetworkError> {
        let sound = check_name(&self.name).and_then(|()| check_mark(&self.mark));
        sound.map_err(|reason| NetworkError::BadPlan {
            subject: format!("bridge {}", self.name),
            reason,
        })
    }
}

impl TryFrom<Link> for Bridge {
    type Error = NetworkError;

    fn try_from(link: Link) -> Result<Self, NetworkError> {
        if !link.is_kind("bridge") {
            let kind = link.kind.unwrap_or_else(|| "physical".into());
            return Err(NetworkError::NotABridge { name: link.name, kind });
        }
        let ours = link.is_ours();
        Ok(Self {
            name: link.name,
            index: link.index,
            up: link.up,
            mac: link.mac,
            mtu: link.mtu,
            ours,
        })
    }
}
