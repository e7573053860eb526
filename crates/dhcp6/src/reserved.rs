//! Interface identifiers that no client may get.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

/// Reserved identifiers of 64 bits (RFC 5453, as registered with IANA), as the lowest and highest of each range.
const IDENTIFIERS: [(u64, u64); 3] = [
    // Subnet-router anycast (RFC 4291).
    (0, 0),
    // The block of Ethernet addresses of IANA, and Proxy Mobile IPv6 in its midst (RFC 6543).
    (0x0200_5eff_fe00_0000, 0x0200_5eff_feff_ffff),
    // Subnet anycast (RFC 2526).
    (0xfdff_ffff_ffff_ff80, 0xfdff_ffff_ffff_ffff),
];

/// Whether a standard reserves an address in this prefix, so that no client gets it.
pub fn is_reserved(prefix: Ipv6Net, address: Ipv6Addr) -> bool {
    reserved_until(prefix, address.into()).is_some()
}

/// The last address of the reserved range that contains an address; `None` if it may be assigned.
///
/// The lowest address of the link's prefix and the 128 highest are reserved (RFC 4291, RFC 2526). In a prefix of 64
/// bits or fewer, the registered interface identifiers are reserved, too.
pub(crate) fn reserved_until(prefix: Ipv6Net, address: u128) -> Option<u128> {
    // On a link of two addresses or one (RFC 6164), nothing would be left.
    if prefix.prefix_len() >= 127 {
        return None;
    }
    let network = u128::from(prefix.network());
    if address == network {
        return Some(address);
    }
    let highest = u128::from(prefix.broadcast());
    // A prefix of 121 bits or more has no room for the 128 (RFC 2526, section 2).
    if prefix.prefix_len() <= 120 && address > highest - 128 && address <= highest {
        return Some(highest);
    }
    if prefix.prefix_len() > 64 {
        return None;
    }
    let identifier = address as u64;
    let range = IDENTIFIERS
        .iter()
        .find(|(low, high)| (*low..=*high).contains(&identifier))?;
    Some(address - u128::from(identifier) + u128::from(range.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(prefix: &str, address: &str) -> Option<String> {
        let address: Ipv6Addr = address.parse().unwrap();
        reserved_until(prefix.parse().unwrap(), address.into()).map(|last| Ipv6Addr::from(last).to_string())
    }

    #[test]
    fn registered_identifiers_are_reserved() {
        for (address, last) in [
            ("2001:db8::", "2001:db8::"),
            ("2001:db8::200:5eff:fe00:0", "2001:db8::200:5eff:feff:ffff"),
            ("2001:db8::200:5eff:fe00:5213", "2001:db8::200:5eff:feff:ffff"),
            ("2001:db8::fdff:ffff:ffff:ff80", "2001:db8::fdff:ffff:ffff:ffff"),
            ("2001:db8::ffff:ffff:ffff:ff80", "2001:db8::ffff:ffff:ffff:ffff"),
            ("2001:db8::ffff:ffff:ffff:ffff", "2001:db8::ffff:ffff:ffff:ffff"),
        ] {
            assert_eq!(until("2001:db8::/64", address).as_deref(), Some(last), "{address}");
        }
        assert_eq!(
            until("2001:db8::/48", "2001:db8:0:1::").as_deref(),
            Some("2001:db8:0:1::")
        );
    }

    #[test]
    fn the_rest_is_not() {
        for address in [
            "2001:db8::1",
            "2001:db8::200:5eff:fdff:ffff",
            "2001:db8::200:5eff:ff00:0",
            "2001:db8::fdff:ffff:ffff:ff7f",
            "2001:db8::ffff:ffff:ffff:ff7f",
        ] {
            assert_eq!(until("2001:db8::/64", address), None, "{address}");
        }
    }

    #[test]
    fn under_long_prefixes() {
        assert_eq!(
            until("2001:db8::/112", "2001:db8::ff80").as_deref(),
            Some("2001:db8::ffff")
        );
        assert_eq!(until("2001:db8::/112", "2001:db8::ff7f"), None);
        assert_eq!(until("2001:db8::/121", "2001:db8::7f"), None);
        assert_eq!(until("2001:db8::/127", "2001:db8::"), None);
        assert_eq!(
            until("2001:db8:0:0:fdff:ffff:ffff:0/112", "2001:db8::fdff:ffff:ffff:ff7f"),
            None
        );
    }
}
