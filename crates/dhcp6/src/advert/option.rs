//! Options of neighbour discovery: type, length in units of eight bytes, body.

use std::net::Ipv6Addr;
use std::time::Duration;

use crate::lifetime::seconds;
use crate::{DomainName, LinkLayerAddress};

use super::PrefixInformation;

pub(super) const SOURCE_LINK_LAYER: u8 = 1;
const PREFIX: u8 = 3;
const MTU: u8 = 5;
const DNS_SERVERS: u8 = 25;
const DOMAIN_SEARCH: u8 = 31;
const PREF64: u8 = 38;

/// Bytes in a unit of length.
pub(super) const UNIT: usize = 8;
/// Most bytes of names in an option: 255 units without its head.
const MAX_NAMES: usize = 254 * UNIT;

/// How many bits of an address a NAT64 prefix has (RFC 8781, section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pref64Length {
    /// 96 bits.
    Bits96,
    /// 64 bits.
    Bits64,
    /// 56 bits.
    Bits56,
    /// 48 bits.
    Bits48,
    /// 40 bits.
    Bits40,
    /// 32 bits.
    Bits32,
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

pub(super) fn put_pref64(bytes: &mut Vec<u8>, prefix: Ipv6Addr, length: Pref64Length, lifetime: Duration) {
    let code = match length {
        Pref64Length::Bits96 => 0,
        Pref64Length::Bits64 => 1,
        Pref64Length::Bits56 => 2,
        Pref64Length::Bits48 => 3,
        Pref64Length::Bits40 => 4,
        Pref64Length::Bits32 => 5,
    };
    // Units of eight seconds, rounded up, in 13 bits.
    let scaled = u16::try_from(lifetime.as_secs().div_ceil(8))
        .unwrap_or(u16::MAX)
        .min(0x1fff);
    put(
        bytes,
        PREF64,
        &[&(scaled << 3 | code).to_be_bytes(), &prefix.octets()[..12]],
    );
}

/// Puts in an option, filled up with zeros to whole units.
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
        let prefix = "64:ff9b::".parse().unwrap();
        put_pref64(&mut bytes, prefix, Pref64Length::Bits96, Duration::from_secs(1800));
        assert_eq!(bytes, [38, 2, 0x07, 0x08, 0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.clear();
        put_pref64(&mut bytes, prefix, Pref64Length::Bits32, Duration::MAX);
        assert_eq!(bytes[2..4], [0xff, 0xfd]);
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
