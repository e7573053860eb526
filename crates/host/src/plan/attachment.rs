//! An interface of an instance.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_plugin::Id;
use serde::{Deserialize, Serialize};

use super::RoutePlan;

/// What an interface of an instance on a network is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentPlan {
    /// Its name. The host end is named after it.
    pub id: Id,
    /// Name of the bridge that it is on.
    pub bridge: String,
    /// Name of the interface inside, such as `eth1`.
    pub interface: String,
    /// Its address; `None` while that is pending. It is wired without one then, and its instance is not ready.
    pub address: Option<Ipv6Addr>,
    /// Length of the network's prefix, in bits.
    pub prefix_length: u8,
    /// Link-layer address of the interface inside.
    pub mac: [u8; 6],
    /// Next hop of the default route; `None` for no default route.
    pub gateway: Option<Ipv6Addr>,
    /// Whether it is to reach no other isolated port of the network.
    pub isolated: bool,
    /// Prefixes that the host routes to it by its address.
    #[serde(default)]
    pub routed: Vec<Ipv6Net>,
    /// Whether it may take a new port of the bridge. Otherwise only a port that it has already will do.
    #[serde(default = "yes")]
    pub may_take_port: bool,
}

fn yes() -> bool {
    true
}

impl AttachmentPlan {
    /// Name of the host end of the attachment with this id. It holds the whole id.
    pub fn host_end_of(id: Id) -> String {
        format!("or{id}")
    }

    /// The routes to its prefixes; none while its address is pending.
    pub fn routes(&self) -> Vec<RoutePlan> {
        let via = self.address.map(|address| (address, self.bridge.clone()));
        let route = |prefix: &Ipv6Net| {
            Some(RoutePlan {
                prefix: *prefix,
                via: Some(via.clone()?),
            })
        };
        self.routed.iter().filter_map(route).collect()
    }

    /// Name of the host end.
    pub fn host_end(&self) -> String {
        Self::host_end_of(self.id)
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_network::FilterElement;

    use super::*;

    #[test]
    fn host_ends_are_called_as_the_packet_filter_expects() {
        let name = AttachmentPlan::host_end_of(Id::from_bytes([1; 6]));
        assert!(name.starts_with(FilterElement::PORT_PREFIX));
    }
}
