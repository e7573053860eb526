//! The values of options, and their encoding.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use super::Body;
use crate::DomainName;

/// The value of an option that is given by its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionValue {
    /// Text in UTF-8, without a NUL at its end.
    Text(String),
    /// A list of addresses.
    Addresses(Vec<Ipv6Addr>),
    /// A list of domain names.
    Names(Vec<DomainName>),
    /// A number of 8 bits.
    U8(u8),
    /// A number of 16 bits.
    U16(u16),
    /// A number of 32 bits.
    U32(u32),
    /// Bytes without further structure.
    Bytes(Vec<u8>),
}

impl OptionValue {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Addresses(list) => addresses(list).into(),
            Self::Names(list) => names(list).into(),
            Self::U8(number) => vec![*number],
            Self::U16(number) => number.to_be_bytes().to_vec(),
            Self::U32(number) => number.to_be_bytes().to_vec(),
            Self::Bytes(bytes) => bytes.clone(),
        }
    }
}

/// A server of the Network Time Protocol (RFC 5908, section 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeServer {
    /// By address, of the server or of a multicast group that it sends to.
    Address(Ipv6Addr),
    /// By name.
    Name(DomainName),
}

impl TimeServer {
    /// The single suboption of a server's option.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        match self {
            Self::Address(address) if address.is_multicast() => put(2, &address.octets(), &mut body),
            Self::Address(address) => put(1, &address.octets(), &mut body),
            Self::Name(name) => put(3, name.as_wire(), &mut body),
        }
        body
    }
}

/// Encodes a list of addresses.
pub(super) fn addresses(addresses: &[Ipv6Addr]) -> Body {
    addresses.iter().flat_map(Ipv6Addr::octets).collect()
}

/// Encodes a list of domain names.
pub(super) fn names(names: &[DomainName]) -> Body {
    names.iter().flat_map(|name| name.as_wire()).copied().collect()
}

/// Encodes texts, each after its length (RFC 5970, section 3.2).
pub(super) fn texts(texts: &[String]) -> Body {
    let mut body = Vec::new();
    for text in texts {
        put_with_length(text.as_bytes(), &mut body);
    }
    body.into()
}

/// Encodes the options of one vendor (RFC 9915, section 21.17).
pub(super) fn vendor(enterprise: u32, options: &BTreeMap<u16, Body>) -> Vec<u8> {
    let mut body = enterprise.to_be_bytes().to_vec();
    for (code, value) in options {
        put(*code, value, &mut body);
    }
    body
}

fn put(code: u16, value: &[u8], body: &mut Vec<u8>) {
    body.extend(code.to_be_bytes());
    put_with_length(value, body);
}

/// Adds a value after its length. A value that is too long for the length field is truncated; it would fit into no
/// message.
fn put_with_length(value: &[u8], body: &mut Vec<u8>) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    body.extend(length.to_be_bytes());
    body.extend(&value[..usize::from(length)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_server_is_told_by_its_kind() {
        let server = |address: &str| TimeServer::Address(address.parse().unwrap()).encode();
        assert_eq!(server("fd00::7b")[..6], [0, 1, 0, 16, 0xfd, 0]);
        assert_eq!(server("ff05::101")[..6], [0, 2, 0, 16, 0xff, 5]);
        let name = TimeServer::Name("ntp.lan".parse().unwrap());
        assert_eq!(name.encode(), b"\x00\x03\x00\x09\x03ntp\x03lan\x00");
    }

    #[test]
    fn values_are_encoded_by_their_type() {
        let domains = vec!["lan".parse().unwrap(), "a.b".parse().unwrap()];
        for (value, bytes) in [
            (OptionValue::Text("UTC".to_owned()), &b"UTC"[..]),
            (OptionValue::U8(7), &[7]),
            (OptionValue::U16(7), &[0, 7]),
            (OptionValue::U32(7), &[0, 0, 0, 7]),
            (OptionValue::Bytes(vec![1, 2]), &[1, 2]),
            (OptionValue::Names(domains), b"\x03lan\x00\x01a\x01b\x00"),
            (
                OptionValue::Addresses(vec![Ipv6Addr::LOCALHOST]),
                &Ipv6Addr::LOCALHOST.octets(),
            ),
        ] {
            assert_eq!(value.encode(), bytes, "{value:?}");
        }
    }
}
