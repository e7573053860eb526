//! Parsers of prefixes, addresses and names of links.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

/// Parses the link's own address with the length of its prefix.
pub(super) fn parse_link_address(text: &str) -> Result<Ipv6Net, String> {
    let net: Ipv6Net = text
        .parse()
        .map_err(|_| format!("{text:?} is not an IPv6 address with a prefix length"))?;
    if !(16..=126).contains(&net.prefix_len()) {
        return Err(format!(
            "a prefix of length {} is no prefix for a link",
            net.prefix_len()
        ));
    }
    if net.addr() == net.network() {
        return Err(format!("{text} is the prefix itself and not an address in it"));
    }
    if is_assignable(net.addr()) {
        Ok(net)
    } else {
        Err(format!("{} cannot be the address of a link", net.addr()))
    }
}

/// Parses a range of addresses, written as a prefix.
pub(super) fn parse_range(text: &str) -> Result<Ipv6Net, String> {
    let net: Ipv6Net = text.parse().map_err(|_| format!("{text:?} is not an IPv6 prefix"))?;
    if net.addr() == net.network() {
        return Ok(net);
    }
    Err(format!(
        "{text} has bits set beyond its length; the prefix is {}",
        net.trunc()
    ))
}

/// Parses the address of a server.
pub(super) fn parse_server(text: &str) -> Result<Ipv6Addr, String> {
    let address: Ipv6Addr = text.parse().map_err(|_| format!("{text:?} is not an IPv6 address"))?;
    // A link-local server is one on the link itself, which clients can reach.
    if is_assignable(address) || address.is_unicast_link_local() {
        return Ok(address);
    }
    Err(format!("{address} cannot be the address of a server"))
}

/// Whether two prefixes have addresses in common.
pub(super) fn overlap(one: &Ipv6Net, other: &Ipv6Net) -> bool {
    one.contains(&other.network()) || other.contains(&one.network())
}

/// Whether the addresses of a prefix may be routed.
pub(super) fn is_routable(net: Ipv6Net) -> bool {
    is_assignable(net.network())
}

fn is_assignable(address: Ipv6Addr) -> bool {
    let special = address.is_unspecified() || address.is_loopback() || address.is_multicast();
    !special && !address.is_unicast_link_local() && address.to_ipv4_mapped().is_none()
}

/// Parses a domain name (RFC 1035, section 2.3.1, as extended by RFC 1123, section 2.1). A dot at its end is dropped.
pub(super) fn parse_domain(text: &str) -> Result<String, String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        let letters = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (1..=63).contains(&label.len()) && letters && !label.starts_with('-') && !label.ends_with('-')
    };
    if name.len() <= 253 && name.split('.').all(label) {
        return Ok(name.to_ascii_lowercase());
    }
    Err(format!("{text:?} is not a domain name"))
}

/// Parses the name of a bridge: a name that the kernel allows for an interface, in ASCII.
pub(super) fn parse_bridge(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 15 {
        return Err(format!(
            "{text:?} has {} bytes; the name of an interface has 1 to 15",
            text.len()
        ));
    }
    // The kernel takes a name with `%` as a pattern, and one with `:` as an alias.
    let legal = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':' | b'%'));
    if legal && !matches!(text, "." | "..") {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} cannot be the name of an interface"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_links() {
        assert!(parse_link_address("fd39::1/64").is_ok());
        for bad in [
            "fd39::1",
            "fd39::/64",
            "fd39::1/128",
            "fe80::1/64",
            "ff02::1/16",
            "::1/64",
            "10.0.0.1/24",
            "x",
        ] {
            assert!(parse_link_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_say_what_their_prefix_is() {
        assert!(parse_range("fd39::1:0/112").is_ok());
        assert_eq!(
            parse_range("fd39::1:1/112").unwrap_err(),
            "fd39::1:1/112 has bits set beyond its length; the prefix is fd39::1:0/112"
        );
    }

    #[test]
    fn overlap_is_containment_either_way() {
        let net = |text: &str| text.parse::<Ipv6Net>().unwrap();
        assert!(overlap(&net("fd39::/64"), &net("fd39::1:0/112")));
        assert!(overlap(&net("fd39::1:0/112"), &net("fd39::/64")));
        assert!(!overlap(&net("fd39::1:0/112"), &net("fd39::2:0/112")));
    }

    #[test]
    fn names() {
        assert_eq!(parse_domain("Example.ORG."), Ok("example.org".to_owned()));
        for bad in ["", ".", "a..b", "-a", "a-", "a_b", &"a".repeat(64), &"a.".repeat(128)] {
            assert!(parse_domain(bad).is_err(), "{bad}");
        }
        for good in ["br0", "br-lan", "a12345678901234"] {
            assert!(parse_bridge(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a b", "a/b", "a:b", "br%d", "a123456789012345", "bü"] {
            assert!(parse_bridge(bad).is_err(), "{bad}");
        }
    }
}
