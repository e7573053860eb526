//! The plan of an attachment.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

use crate::NetworkError;
use crate::name::{check_mark, check_name};

/// The plan of an instance's interface on a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentPlan {
    /// Name of the host end, at most 15 bytes, one of its own for each attachment.
    pub host_interface: String,
    /// Our mark: the alias of the host end, 1 to 255 bytes.
    pub alias: String,
    /// Name of the bridge that the host end shall be a port of.
    pub bridge: String,
    /// Name of the inside end, such as `eth1`.
    pub interface: String,
    /// Address of the inside end, with the length of the on-link prefix. `None` as long as it is pending: then the
    /// interface is up without one, and addresses that somebody else gives it are left alone.
    pub address: Option<Ipv6Net>,
    /// Link-layer address of the inside end.
    pub mac: [u8; 6],
    /// Next hop of the default route; it need not be within the prefix of the address.
    pub gateway: Option<Ipv6Addr>,
    /// Whether it reaches only ports that are not isolated, such as those of clients, and no other instance.
    pub isolated: bool,
}

impl AttachmentPlan {
    /// Refuses what can never be carried out.
    pub(crate) fn check(&self) -> Result<(), NetworkError> {
        let sound = check_name(&self.host_interface)
            .and_then(|()| check_name(&self.interface))
            .and_then(|()| check_name(&self.bridge))
            .and_then(|()| check_mark(&self.alias))
            .and_then(|()| self.address.map_or(Ok(()), |address| check_unicast(address.addr())))
            .and_then(|()| self.gateway.map_or(Ok(()), check_unicast))
            .and_then(|()| check_mac(self.mac));
        sound.map_err(|reason| NetworkError::BadPlan {
            subject: format!("attachment {}", self.host_interface),
            reason,
        })
    }

    /// Whether its address is alone: it has no neighbours but its router.
    pub(crate) fn is_single(&self) -> bool {
        self.address.is_some_and(|address| address.prefix_len() == 128)
    }

    /// Link-layer address of the host end: that of the inside end but for its first octet.
    ///
    /// A bridge whose address is not pinned takes the lowest of its ports' addresses; a high one leaves it alone.
    pub(crate) fn host_mac(&self) -> [u8; 6] {
        let [first, rest @ ..] = self.mac;
        let high = if first == 0xfe { 0xfa } else { 0xfe };
        let [b, c, d, e, f] = rest;
        [high, b, c, d, e, f]
    }
}

/// Says why an address cannot belong to an interface.
fn check_unicast(address: Ipv6Addr) -> Result<(), String> {
    if address.is_unspecified() || address.is_multicast() || address.is_loopback() {
        return Err(format!("{address} is no unicast address"));
    }
    Ok(())
}

/// Says why a link-layer address cannot belong to an interface.
fn check_mac(mac: [u8; 6]) -> Result<(), String> {
    if mac == [0; 6] || mac[0] & 1 == 1 {
        return Err(format!("{mac:02x?} is no unicast link-layer address"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> AttachmentPlan {
        AttachmentPlan {
            host_interface: "o-1".into(),
            alias: "orchestrator:1".into(),
            bridge: "br0".into(),
            interface: "eth1".into(),
            address: Some("fd39:9706:2786:6333::2:1/64".parse().unwrap()),
            mac: [2, 0, 0, 0, 0, 1],
            gateway: Some("fd39:9706:2786:6333::1".parse().unwrap()),
            isolated: true,
        }
    }

    #[test]
    fn a_sound_plan_passes() {
        plan().check().unwrap();
    }

    #[test]
    fn every_unsound_part_is_refused() {
        let spoils: [fn(&mut AttachmentPlan); 8] = [
            |plan| plan.host_interface = "sixteen-byte-nam".into(),
            |plan| plan.interface = "eth/1".into(),
            |plan| plan.bridge = String::new(),
            |plan| plan.alias = String::new(),
            |plan| plan.address = Some("ff02::1/64".parse().unwrap()),
            |plan| plan.gateway = Some(Ipv6Addr::UNSPECIFIED),
            |plan| plan.mac = [1, 0, 0, 0, 0, 1],
            |plan| plan.mac = [0; 6],
        ];
        for (number, spoil) in spoils.iter().enumerate() {
            let mut plan = plan();
            spoil(&mut plan);
            assert!(
                matches!(plan.check(), Err(NetworkError::BadPlan { .. })),
                "spoil {number}"
            );
        }
    }

    #[test]
    fn the_host_end_has_a_high_address_of_its_own() {
        for first in [0x02, 0xfa, 0xfe] {
            let plan = AttachmentPlan {
                mac: [first, 1, 2, 3, 4, 5],
                ..plan()
            };
            assert_ne!(plan.host_mac(), plan.mac);
            assert!(plan.host_mac()[0] >= 0xfa && plan.host_mac()[0] & 1 == 0);
        }
    }
}
