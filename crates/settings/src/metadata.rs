//! `[metadata]`: where instances ask about themselves.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

use super::fault::{Collector, Fault};
use super::reader::Table;

/// The address of the metadata service, unless the settings give another. It is a ULA (RFC 4193), which no network of
/// anybody's has by chance.
pub const METADATA_ADDRESS: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x6d65, 0x7461, 0, 0, 0, 0, 1);

/// The service that tells each instance about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataSettings {
    /// The address of the service, on every link with instances; `None` if there is no service.
    pub address: Option<Ipv6Addr>,
}

impl MetadataSettings {
    pub(super) fn read(mut table: Table<'_>) -> Self {
        let address = match table.take("address") {
            None => Some(METADATA_ADDRESS),
            Some(entry) if entry.is_word("none") => None,
            Some(entry) => entry.parse(
                "write a unique local address (RFC 4193) of no link, like \"fd00:6d65:7461::1\", or \"none\"",
                parse_address,
            ),
        };
        table.finish();
        Self { address }
    }

    /// Refuses an address that belongs to a link or a network: it would be one on several of them.
    pub(super) fn check_apart(&self, prefixes: impl IntoIterator<Item = Ipv6Net>, faults: &Collector) {
        let Some(address) = self.address else { return };
        let taken = prefixes.into_iter().find(|prefix| prefix.contains(&address));
        if let Some(prefix) = taken {
            faults.add(Fault {
                key: "metadata.address".to_owned(),
                variable: None,
                what: format!("{address} is in the prefix {prefix} of a link or network"),
                remedy: "take an address of no link and no network, because all links have it".to_owned(),
            });
        }
    }
}

/// Parses a unique local address. A global one would belong to somebody, and curl takes no link-local one without a zone.
fn parse_address(text: &str) -> Result<Ipv6Addr, String> {
    let address: Ipv6Addr = text.parse().map_err(|_| format!("{text:?} is not an IPv6 address"))?;
    match address.is_unique_local() {
        true => Ok(address),
        false => Err(format!("{address} is not a unique local address")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<MetadataSettings, String> {
        let settings = crate::parse(text, std::iter::empty());
        settings
            .map(|settings| settings.metadata)
            .map_err(|faults| faults.to_string())
    }

    #[test]
    fn the_address_is_in_no_prefix_of_a_link_or_network() {
        let link = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n";
        let fault = read(&format!("[metadata]\naddress = \"fd39::7\"\n{link}")).unwrap_err();
        assert!(
            fault.contains("metadata.address: fd39::7 is in the prefix fd39::/64"),
            "{fault}"
        );
        let network = "[[network]]\nname = \"a\"\nprefix = \"fd50::/64\"\ninstances = \"fd50::1:0/112\"\n";
        let fault = read(&format!("[metadata]\naddress = \"fd50::7\"\n{network}")).unwrap_err();
        assert!(fault.contains("in the prefix fd50::/64"), "{fault}");
        assert!(read(&format!("{link}{network}")).is_ok());
    }

    #[test]
    fn the_address_is_a_unique_local_one_or_none() {
        assert_eq!(read("").unwrap().address, Some(METADATA_ADDRESS));
        assert_eq!(read("[metadata]\naddress = \"none\"").unwrap().address, None);
        let other = read("[metadata]\naddress = \"fd12::1\"").unwrap();
        assert_eq!(other.address, Some("fd12::1".parse().unwrap()));
        for bad in ["fe80::1", "2001:db8::1", "10.0.0.1", "::1", ""] {
            let fault = read(&format!("[metadata]\naddress = {bad:?}")).unwrap_err();
            assert!(fault.contains("metadata.address"), "{fault}");
        }
    }
}
