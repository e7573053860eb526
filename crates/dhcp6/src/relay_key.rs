//! How the server finds the link of a relayed client (RFC 9915, sections 13.1 and 19.1.1).
//!
//! A link address in a link's prefix identifies the link. An unspecified or a link-local one does not: a relay agent on
//! a switch sends the first, and an agent whose interface has no other address sends the second. Such an agent is
//! identified by a key of the link.

use std::net::Ipv6Addr;

use crate::OpaqueId;

/// The information of one relay agent about the location of its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayAgent<'a> {
    /// Its link address, which may identify no link.
    pub link_address: Ipv6Addr,
    /// The address that it sent from.
    pub address: Ipv6Addr,
    /// Its interface-id, if it sends one.
    pub interface_id: Option<&'a [u8]>,
}

/// The key of a relay agent whose clients are on a link, whatever link address it sends. A field that is `None` is not
/// compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RelayKey {
    /// Its link address, or the address that it sends from.
    pub address: Option<Ipv6Addr>,
    /// Its interface-id.
    pub interface_id: Option<OpaqueId>,
}

impl RelayAgent<'_> {
    /// An address of the client's link; `None` if the agent sends none, or one that does not identify a single link.
    pub fn link(&self) -> Option<Ipv6Addr> {
        telling(self.link_address)
    }
}

impl RelayKey {
    /// Whether this is the key of the agent. An empty key fits no agent.
    pub fn fits(&self, agent: &RelayAgent<'_>) -> bool {
        let is_at = |address: Ipv6Addr| agent.link_address == address || agent.address == address;
        let has_id = |id: &OpaqueId| agent.interface_id == Some(id.as_bytes());
        (self.address.is_some() || self.interface_id.is_some())
            && self.address.is_none_or(is_at)
            && self.interface_id.as_ref().is_none_or(has_id)
    }
}

/// The link address, if it identifies a single link.
pub(crate) fn telling(link_address: Ipv6Addr) -> Option<Ipv6Addr> {
    let is_telling = !link_address.is_unspecified() && !link_address.is_unicast_link_local();
    is_telling.then_some(link_address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent<'a>(link_address: &str, address: &str, interface_id: Option<&'a [u8]>) -> RelayAgent<'a> {
        RelayAgent {
            link_address: link_address.parse().unwrap(),
            address: address.parse().unwrap(),
            interface_id,
        }
    }

    fn key(address: Option<&str>, interface_id: Option<&str>) -> RelayKey {
        RelayKey {
            address: address.map(|address| address.parse().unwrap()),
            interface_id: interface_id.map(|id| id.parse().unwrap()),
        }
    }

    #[test]
    fn an_address_of_one_link_tells_it() {
        for (link_address, telling) in [
            ("2001:db8::1", true),
            ("fd00::1", true),
            ("fe80::1", false),
            ("::", false),
        ] {
            assert_eq!(
                agent(link_address, "fe80::9", None).link().is_some(),
                telling,
                "{link_address}"
            );
        }
    }

    #[test]
    fn a_key_fits_where_all_that_it_says_does() {
        let known = agent("fe80::1", "2001:db8::9", Some(b"vlan 7"));
        for (address, id, fits) in [
            (Some("fe80::1"), None, true),
            (Some("2001:db8::9"), None, true),
            (None, Some("vlan 7"), true),
            (Some("fe80::1"), Some("vlan 7"), true),
            (Some("fe80::2"), Some("vlan 7"), false),
            (Some("fe80::1"), Some("vlan 8"), false),
            (None, None, false),
        ] {
            assert_eq!(key(address, id).fits(&known), fits, "{address:?} {id:?}");
        }
        assert!(!key(None, Some("vlan 7")).fits(&agent("fe80::1", "2001:db8::9", None)));
    }
}
