//! Hazards: properties of a bridge or its surroundings that keep clients from their service and that are not ours to
//! change.

use std::fmt;
use std::net::Ipv6Addr;

use super::{Bridge, BridgePlan};
use crate::address::Held;
use crate::link::Switching;

/// Something that somebody else has to mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BridgeHazard {
    /// Another interface has the link's address too.
    AddressElsewhere {
        /// The address.
        address: Ipv6Addr,
        /// Name of the other interface.
        interface: String,
    },
    /// The bridge runs the spanning tree protocol, and a new port forwards nothing for so many hundredths of a second.
    PortsWait(u32),
    /// The bridge filters by VLAN, and a new port is in none.
    NoVlan,
}

impl fmt::Display for BridgeHazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddressElsewhere { address, interface } => write!(
                f,
                "interface {interface} has the link's address {address} too, so that packets for the link may leave \
                 there; remove it there (ip address del {address} dev {interface})"
            ),
            Self::PortsWait(hundredths) => write!(
                f,
                "it runs the spanning tree protocol, so that a new instance reaches nobody for {} s; set stp_state or \
                 forward_delay to 0, if the network has no loops",
                hundredths.saturating_mul(2) / 100
            ),
            Self::NoVlan => f.write_str(
                "it filters by VLAN and puts new ports into none (vlan_default_pvid 0), so that instances reach \
                 nobody; set vlan_default_pvid to the VLAN of the link's clients",
            ),
        }
    }
}

/// The hazards in the options of a bridge that is not ours. On a bridge of ours these are flaws, and are repaired.
pub(super) fn of_switching(bridge: &Bridge, switching: Switching) -> Vec<BridgeHazard> {
    if bridge.ours {
        return Vec::new();
    }
    let waits = switching.spanning_tree && switching.forward_delay > 0;
    let strays = switching.vlan_filtering && switching.default_vlan == 0;
    let waits = waits.then_some(BridgeHazard::PortsWait(switching.forward_delay));
    waits
        .into_iter()
        .chain(strays.then_some(BridgeHazard::NoVlan))
        .collect()
}

/// The numbers of other interfaces that have the address of the bridge's plan.
pub(super) fn elsewhere(bridge: &Bridge, plan: &BridgePlan, held: &[Held]) -> Vec<u32> {
    let address = plan.address.map(|address| address.addr());
    let others = held.iter().filter(|held| held.interface != bridge.index);
    let with_it = others.filter(|held| Some(held.address.addr()) == address);
    with_it.map(|held| held.interface).collect()
}

/// The hazard of an interface that has the address of the plan.
pub(super) fn of_address(plan: &BridgePlan, interface: String) -> Option<BridgeHazard> {
    let address = plan.address?.addr();
    Some(BridgeHazard::AddressElsewhere { address, interface })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hazards_of_somebody_elses_bridge_are_named() {
        let bridge = Bridge {
            name: "br0".into(),
            index: 2,
            up: true,
            mac: None,
            mtu: 1500,
            ours: false,
        };
        let plan = BridgePlan {
            name: "br0".into(),
            create: false,
            address: Some("fd39::1/64".parse().unwrap()),
            services: Vec::new(),
            mark: "ours".into(),
        };
        let switching = Switching {
            spanning_tree: true,
            forward_delay: 1500,
            vlan_filtering: true,
            ..Switching::default()
        };
        let text: Vec<String> = of_switching(&bridge, switching)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert!(
            text[0].contains("for 30 s") && text[1].contains("vlan_default_pvid"),
            "{text:?}"
        );
        let address = "fd39::1/64".parse().unwrap();
        let held = [2, 7].map(|interface| Held {
            interface,
            address,
            service: false,
        });
        assert_eq!(elsewhere(&bridge, &plan, &held), [7]);
        let text = of_address(&plan, "eth9".into()).unwrap().to_string();
        assert!(
            text.contains("interface eth9 has the link's address fd39::1 too"),
            "{text}"
        );
        let ours = Bridge { ours: true, ..bridge };
        assert_eq!(of_switching(&ours, switching), []);
    }
}
