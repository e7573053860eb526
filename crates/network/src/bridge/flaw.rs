//! Differences between a bridge and its plan.

use std::fmt;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

use super::{Bridge, BridgeIdentity, BridgePlan, SETTINGS};
use crate::address::Held;
use crate::link::Switching;
use crate::sysctl::Ipv6Settings;

/// Something about a bridge that is not as planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BridgeFlaw {
    /// It is down.
    Down,
    /// It does not have the link's address, or has it with another prefix length.
    NoAddress(Ipv6Net),
    /// It has an address with our mark that is not in its plan.
    StrayAddress(Ipv6Addr),
    /// It has no link-local address, although it has a carrier.
    NoLinkLocal,
    /// A bridge that we made has another link-layer address than before.
    OtherLinkLayer {
        /// The address before.
        before: [u8; 6],
    },
    /// An option of a bridge that we made was changed, in the words of iproute2.
    Option(&'static str),
    /// A setting of a bridge that we made was changed: its key under `net.ipv6.conf.BRIDGE`.
    Setting(&'static str),
    /// A bridge that we made has this MTU, and should have another one.
    OtherMtu(u32),
    /// The kernel dropped a multicast group that a socket of ours had joined there.
    ///
    /// It does so when it switches IPv6 off on the bridge because of its MTU. Only the socket can join again.
    NotMember(Ipv6Addr),
    /// Instances on a bridge that is joined with it cannot reach it, or are not kept apart as they were.
    Join {
        /// The joined bridge.
        joined: String,
    },
}

impl BridgeFlaw {
    /// A word for a counter.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::NoAddress(_) | Self::StrayAddress(_) => "address",
            Self::NoLinkLocal => "link-local",
            Self::OtherLinkLayer { .. } => "link-layer",
            Self::Option(_) => "option",
            Self::Setting(_) => "setting",
            Self::OtherMtu(_) => "mtu",
            Self::NotMember(_) => "multicast",
            Self::Join { .. } => "join",
        }
    }
}

impl fmt::Display for BridgeFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down => f.write_str("it is down"),
            Self::NoAddress(address) => write!(f, "its address {address} is gone"),
            Self::StrayAddress(address) => write!(f, "it has the address {address}, which is no longer wanted"),
            Self::NoLinkLocal => f.write_str("its link-local address is gone"),
            Self::OtherLinkLayer {
                before: [a, b, c, d, e, g],
            } => write!(
                f,
                "its link-layer address is no longer {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}"
            ),
            Self::Option(option) => write!(f, "its option {option} was changed"),
            Self::Setting(key) => write!(f, "its setting {key} was changed"),
            Self::OtherMtu(mtu) => write!(f, "its MTU is {mtu}"),
            Self::NotMember(group) => write!(f, "the kernel dropped its multicast group {group}"),
            Self::Join { joined } => write!(f, "its join with bridge {joined} was changed"),
        }
    }
}

/// The flaws of the bridge itself, without its addresses and multicast groups.
pub(super) fn of_link(bridge: &Bridge, switching: Switching, identity: &BridgeIdentity) -> Vec<BridgeFlaw> {
    let mut flaws = Vec::new();
    if !bridge.up {
        flaws.push(BridgeFlaw::Down);
    }
    if !bridge.ours {
        return flaws;
    }
    if let Some(before) = identity.mac.filter(|before| bridge.mac != Some(*before)) {
        flaws.push(BridgeFlaw::OtherLinkLayer { before });
    }
    let options = [
        ("stp_state", switching.spanning_tree),
        ("forward_delay", switching.forward_delay > 0),
        ("mcast_snooping", switching.multicast_snooping),
        ("vlan_filtering", switching.vlan_filtering),
    ];
    flaws.extend(
        options
            .into_iter()
            .filter(|(_, changed)| *changed)
            .map(|(option, _)| BridgeFlaw::Option(option)),
    );
    flaws
}

/// The settings of a bridge of ours that are not as planned. The calling thread must be in the bridge's namespace.
pub(super) fn of_settings(bridge: &Bridge) -> Vec<BridgeFlaw> {
    if !bridge.ours {
        return Vec::new();
    }
    let Ok(settings) = Ipv6Settings::open() else {
        return Vec::new();
    };
    let is_other = |key: &str, value: &str| settings.read(&bridge.name, key).is_some_and(|found| found != value);
    let changed = SETTINGS.into_iter().filter(|(key, value)| is_other(key, value));
    changed.map(|(key, _)| BridgeFlaw::Setting(key)).collect()
}

/// Whether any of these is link-local.
fn has_link_local(held: &[Held]) -> bool {
    held.iter().any(|held| held.address.addr().is_unicast_link_local())
}

/// The planned addresses that the bridge lacks, and those of ours that it has too many.
///
/// Without a carrier the kernel assigns no link-local address. A bridge that is not ours needs none if it had none
/// before.
pub(super) fn of_addresses(
    bridge: &Bridge,
    plan: &BridgePlan,
    identity: &BridgeIdentity,
    held: &[Held],
    carrier: bool,
) -> Vec<BridgeFlaw> {
    let missing = plan
        .address
        .filter(|wanted| held.iter().all(|held| held.address != *wanted));
    let mut flaws: Vec<_> = missing.map(BridgeFlaw::NoAddress).into_iter().collect();
    let has = |address: Ipv6Addr| held.iter().any(|held| held.address.addr() == address);
    let services = plan.services.iter().filter(|address| !has(**address));
    flaws.extend(services.map(|address| BridgeFlaw::NoAddress((*address).into())));
    let ours = held.iter().filter(|held| held.service).map(|held| held.address.addr());
    let stray = ours.filter(|address| !plan.services.contains(address));
    flaws.extend(stray.map(BridgeFlaw::StrayAddress));
    let link_local = has_link_local(held);
    let expected = bridge.up && carrier && (bridge.ours || identity.link_local.is_some());
    if expected && !link_local {
        flaws.push(BridgeFlaw::NoLinkLocal);
    }
    flaws
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

    fn bridge(ours: bool) -> Bridge {
        Bridge {
            name: "br0".into(),
            index: 2,
            up: true,
            mac: Some(MAC),
            mtu: 1500,
            ours,
        }
    }

    fn plan() -> BridgePlan {
        BridgePlan {
            name: "br0".into(),
            create: true,
            address: Some("fd39::1/64".parse().unwrap()),
            services: Vec::new(),
            mark: "ours".into(),
        }
    }

    fn known() -> BridgeIdentity {
        BridgeIdentity {
            mac: Some(MAC),
            link_local: Some("fe80::1".parse().unwrap()),
        }
    }

    fn held(address: &str) -> Held {
        Held {
            interface: 2,
            address: address.parse().unwrap(),
            service: false,
        }
    }

    #[test]
    fn options_and_link_layer_address_are_watched_on_a_bridge_of_ours_alone() {
        let changed = Switching {
            spanning_tree: true,
            forward_delay: 1500,
            multicast_snooping: true,
            vlan_filtering: true,
            default_vlan: 1,
        };
        let other = Bridge {
            mac: Some([2, 0, 0, 0, 0, 9]),
            ..bridge(true)
        };
        assert_eq!(
            of_link(&other, changed, &known()),
            [
                BridgeFlaw::OtherLinkLayer { before: MAC },
                BridgeFlaw::Option("stp_state"),
                BridgeFlaw::Option("forward_delay"),
                BridgeFlaw::Option("mcast_snooping"),
                BridgeFlaw::Option("vlan_filtering"),
            ]
        );
        assert_eq!(of_link(&Bridge { ours: false, ..other }, changed, &known()), []);
        assert_eq!(of_link(&bridge(true), Switching::default(), &known()), []);
    }

    #[test]
    fn an_address_with_another_prefix_length_is_not_the_planned_one() {
        let held = ["fe80::1/64", "fd39::1/128"].map(held);
        let flaws = of_addresses(&bridge(true), &plan(), &known(), &held, true);
        assert_eq!(flaws, [BridgeFlaw::NoAddress("fd39::1/64".parse().unwrap())]);
    }

    #[test]
    fn addresses_of_services_are_missed_and_former_ones_are_found() {
        let plan = BridgePlan {
            services: vec!["fd39::d0".parse().unwrap()],
            ..plan()
        };
        let service = |address: &str| Held {
            service: true,
            ..held(address)
        };
        let flaws = |held: &[Held]| of_addresses(&bridge(true), &plan, &known(), held, false);
        let own = held("fd39::1/64");
        assert_eq!(flaws(&[own, service("fd39::d0/128")]), []);
        // Somebody else gave it to the bridge.
        assert_eq!(flaws(&[own, held("fd39::d0/64")]), []);
        let missing = BridgeFlaw::NoAddress("fd39::d0/128".parse().unwrap());
        assert_eq!(flaws(&[own]), std::slice::from_ref(&missing));
        let stray = BridgeFlaw::StrayAddress("fd39::d1".parse().unwrap());
        assert_eq!(flaws(&[own, service("fd39::d1/128")]), [missing, stray]);
    }

    #[test]
    fn a_link_local_address_is_missed_only_with_a_carrier() {
        let held = [held("fd39::1/64")];
        let of = |bridge: &Bridge, identity: &BridgeIdentity, carrier| {
            of_addresses(bridge, &plan(), identity, &held, carrier)
        };
        assert_eq!(of(&bridge(true), &known(), true), [BridgeFlaw::NoLinkLocal]);
        assert_eq!(of(&bridge(true), &known(), false), []);
        // Somebody else's bridge may never have had one.
        assert_eq!(of(&bridge(false), &BridgeIdentity::default(), true), []);
        assert_eq!(of(&bridge(false), &known(), true), [BridgeFlaw::NoLinkLocal]);
    }
}
