//! Options of neighbour discovery: type, length in units of eight bytes, body.

use std::net::Ipv6Addr;
use std::time::Duration;

use ipnet::Ipv6Net;

use crate::lifetime::seconds;
use crate::{DomainName, LinkLayerAddress};

use super::PrefixInformation;

pub(super) const SOURCE_LINK_LAYER: u8 = 1;
pub(super) const PREFIX: u8 = 3;
pub(super) const MTU: u8 = 5;
const DNS_SERVERS: u8 = 25;
const DOMAIN_SEARCH: u8 = 31;
const CAPTIVE_PORTAL: u8 = 37;
const PREF64: u8 = 38;

/// The number of bytes in a unit of length.
pub(super) const UNIT: usize = 8;
/// The largest size of names in an option, in bytes: 255 units without the head.
const MAX_NAMES: usize = 254 * UNIT;

/// A NAT64 prefix, through which IPv4 is reached, with one of the lengths of RFC 8781, section 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nat64Prefix {
    prefix: Ipv6Net,
    code: u16,
}

/// The prefix does not have the length of a NAT64 prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a prefix for NAT64 has a length of 32, 40, 48, 56, 64 or 96, not {0}")]
pub struct Nat64PrefixError(pub u8);

impl TryFrom<Ipv6Net> for Nat64Prefix {
    type Error = Nat64PrefixError;

    fn try_from(prefix: Ipv6Net) -> Result<Self, Self::Error> {
        let code = match prefix.prefix_len() {
            96 => 0,
            64 => 1,
            56 => 2,
            48 => 3,
            40 => 4,
            32 => 5,
            length => return Err(Nat64PrefixError(length)),
        };
        let prefix = prefix.trunc();
        Ok(Self { prefix, code })
    }
}

/// The options of a message, each with its head. Ends with a `None` for the first one that reaches beyond the message
/// or has no length.
pub(super) fn walk(mut options: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    std::iter::from_fn(move || {
        if options.is_empty() {
            return None;
        }
        let units = options.get(1).copied().unwrap_or_default();
        let length = usize::from(units) * UNIT;
        let split = options.split_at_checked(length).filter(|_| length > 0);
        options = split.map_or(&[], |(_, rest)| rest);
        Some(split.map(|(option, _)| option))
    })
}

pub(super) fn put_source_link_layer(bytes: &mut Vec<u8>, address: &LinkLayerAddress) {
    put(bytes, SOURCE_LINK_LAYER, &[address.as_bytes()]);
}

pub(super) fn put_mtu(bytes: &mut Vec<u8>, mtu: u32) {
    put(bytes, MTU, &[&[0; 2], &mtu.to_be_bytes()]);
}

pub(super) fn put_prefix(bytes: &mut Vec<u8>, information: &PrefixInformation) {
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    let flags = flag(information.on_link, 0x80)
        | flag(information.autonomous, 0x40)
        | flag(information.delegation_preferred, 0x10);
    let (valid, preferred) = (seconds(information.valid), seconds(information.preferred));
    put(
        bytes,
        PREFIX,
        &[
            &[information.prefix.prefix_len(), flags],
            &valid.to_be_bytes(),
            &preferred.min(valid).to_be_bytes(),
            &[0; 4],
            &information.prefix.network().octets(),
        ],
    );
}

pub(super) fn put_dns_servers(bytes: &mut Vec<u8>, servers: &[Ipv6Addr], lifetime: u32) {
    // 127 addresses are 254 units.
    for some in servers.chunks(127) {
        let octets: Vec<u8> = some.iter().flat_map(Ipv6Addr::octets).collect();
        put(bytes, DNS_SERVERS, &[&[0; 2], &lifetime.to_be_bytes(), &octets]);
    }
}

pub(super) fn put_domain_search(bytes: &mut Vec<u8>, names: &[DomainName], lifetime: u32) {
    let mut some = Vec::new();
    let mut flush = |some: &mut Vec<u8>| {
        if !some.is_empty() {
            put(bytes, DOMAIN_SEARCH, &[&[0; 2], &lifetime.to_be_bytes(), some]);
            some.clear();
        }
    };
    for name in names {
        if some.len() + name.as_wire().len() > MAX_NAMES {
            flush(&mut some);
        }
        some.extend_from_slice(name.as_wire());
    }
    flush(&mut some);
}

pub(super) fn put_pref64(bytes: &mut Vec<u8>, nat64: Nat64Prefix, lifetime: Duration) {
    // Units of eight seconds, rounded up, in 13 bits.
    let scaled = u16::try_from(lifetime.as_secs().div_ceil(8))
        .unwrap_or(u16::MAX)
        .min(0x1fff);
    put(
        bytes,
        PREF64,
        &[
            &(scaled << 3 | nat64.code).to_be_bytes(),
            &nat64.prefix.network().octets()[..12],
        ],
    );
}

/// Adds the URI of the captive portal, unless it is too long for an option.
pub(super) fn put_captive_portal(bytes: &mut Vec<u8>, uri: &str) {
    if uri.len() <= MAX_NAMES {
        put(bytes, CAPTIVE_PORTAL, &[uri.as_bytes()]);
    }
}

/// Adds an option, padded with zeros to whole units.
fn put(bytes: &mut Vec<u8>, code: u8, parts: &[&[u8]]) {
    let length = 2 + parts.iter().map(|part| part.len()).sum::<usize>();
    // All callers keep below 256 units.
    bytes.extend([code, u8::try_from(length.div_ceil(UNIT)).unwrap_or(u8::MAX)]);
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes.extend(std::iter::repeat_n(0, length.next_multiple_of(UNIT) - length));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(mut bytes: &[u8]) -> Vec<usize> {
        let mut lengths = Vec::new();
        while !bytes.is_empty() {
            lengths.push(usize::from(bytes[1]));
            bytes = &bytes[usize::from(bytes[1]) * UNIT..];
        }
        lengths
    }

    #[test]
    fn nat64_prefix() {
        let mut bytes = Vec::new();
        let nat64 = |text: &str| Nat64Prefix::try_from(text.parse::<Ipv6Net>().unwrap());
        put_pref64(&mut bytes, nat64("64:ff9b::/96").unwrap(), Duration::from_secs(1800));
        assert_eq!(bytes, [38, 2, 0x07, 0x08, 0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.clear();
        put_pref64(&mut bytes, nat64("2001:db8::/32").unwrap(), Duration::MAX);
        assert_eq!(bytes[2..4], [0xff, 0xfd]);
        assert_eq!(nat64("64:ff9b::/80"), Err(Nat64PrefixError(80)));
    }

    #[test]
    fn long_lists_are_spread_over_options() {
        let mut bytes = Vec::new();
        put_dns_servers(&mut bytes, &[Ipv6Addr::LOCALHOST; 300], 1);
        assert_eq!(lengths(&bytes), [255, 255, 93]);
        bytes.clear();
        let name: DomainName = format!("{}.example", "a".repeat(63)).parse().unwrap();
        put_domain_search(&mut bytes, &vec![name; 50], 1);
        assert_eq!(lengths(&bytes).iter().filter(|length| **length > 1).count(), 2);
    }
}
