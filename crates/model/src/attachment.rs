//! An interface of an instance on a network.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use ipnet::Ipv6Net;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{AttachmentId, InstanceId};

/// An interface of an instance on a network.
///
/// It is planned with the instance, and a change of the settings does not change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Its id. The name of its host end contains it ([`host_end`](Self::host_end)).
    pub id: AttachmentId,
    /// The instance that it belongs to.
    pub instance: InstanceId,
    /// The name of the container whose namespace has the interface.
    pub container: String,
    /// Name of the network that it is on, as the settings call it.
    pub network: String,
    /// Name of the network's bridge.
    pub bridge: String,
    /// Name of the interface inside, such as `eth1`.
    pub interface: String,
    /// Its address on the network. `None` while it is pending: DHCPv6 has not assigned it yet.
    pub address: Option<Ipv6Addr>,
    /// The length of the network's prefix in bits. The instance reaches the prefix without a router.
    pub prefix_length: u8,
    /// The next hop of the instance's default route; `None` if it has no default route through this interface.
    pub gateway: Option<Ipv6Addr>,
    /// Whether the interface is isolated: it cannot reach other isolated interfaces of the network, so no other
    /// instance.
    pub isolated: bool,
    /// The link-layer address of the interface inside the container.
    pub mac: MacAddress,
    /// Prefixes that are routed to it.
    #[serde(default)]
    pub routed: Vec<Ipv6Net>,
}

impl Attachment {
    /// The name of the interface on the host: 14 bytes that contain the whole id.
    pub fn host_end(&self) -> String {
        host_end(self.id)
    }

    /// The address with the length of the network's prefix; `None` while the address is pending.
    pub fn net(&self) -> Option<Ipv6Net> {
        Ipv6Net::new(self.address?, self.prefix_length).ok()
    }
}

/// The name of an attachment's interface on the host.
pub fn host_end(id: AttachmentId) -> String {
    format!("or{id}")
}

/// The attachment of an interface on the host, from the interface's name; `None` if the name has another form.
pub fn attachment_of(host_end: &str) -> Option<AttachmentId> {
    host_end.strip_prefix("or")?.parse().ok()
}

/// A link-layer address of six bytes, written as hexadecimal bytes with colons.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// The link-layer address of an instance with this address. It is locally administered, and depends on the address
    /// alone, so that the client's neighbour cache stays right when the instance is created again.
    pub const fn of(address: Ipv6Addr) -> Self {
        let [.., a, b, c, d] = address.octets();
        Self([0x02, 0x6f, a, b, c, d])
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a link-layer address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a link-layer address of six bytes; write it like \"02:6f:00:02:00:01\"")]
pub struct MacAddressError(pub String);

impl FromStr for MacAddress {
    type Err = MacAddressError;

    fn from_str(text: &str) -> Result<Self, MacAddressError> {
        let fault = || MacAddressError(text.to_owned());
        let mut bytes = [0; 6];
        let mut words = text.split(':');
        for byte in &mut bytes {
            let word = words.next().ok_or_else(fault)?;
            if word.len() != 2 || !word.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(fault());
            }
            *byte = u8::from_str_radix(word, 16).map_err(|_| fault())?;
        }
        match words.next() {
            None => Ok(Self(bytes)),
            Some(_) => Err(fault()),
        }
    }
}

impl Serialize for MacAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MacAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Id;

    #[test]
    fn link_layer_addresses_are_read_back() {
        let mac = MacAddress::of("fd39::2:1".parse().unwrap());
        assert_eq!(mac.to_string(), "02:6f:00:02:00:01");
        assert_eq!("02:6F:00:02:00:01".parse(), Ok(mac));
        for text in [
            "",
            "02:6f:00:02:00",
            "02:6f:00:02:00:01:",
            "2:6f:00:02:00:01",
            "+2:6f:00:02:00:01",
        ] {
            assert!(text.parse::<MacAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_end_names_its_attachment() {
        let id = Id::from_bytes([0x3f, 0x9a, 0x2c, 0x01, 0xd2, 0xe4]);
        assert_eq!(host_end(id), "or3f9a2c01d2e4");
        assert_eq!(attachment_of("or3f9a2c01d2e4"), Some(id));
        assert_eq!(attachment_of("eth0"), None);
    }
}
