//! Ethernet frames with IPv6 packets, written byte by byte: honest ones, and others.
//!
//! Data that does not fit into a packet is a mistake of the test, and panics.

use std::net::Ipv6Addr;

/// A link-layer address.
pub type Mac = [u8; 6];

/// The number of TCP among the protocols.
pub const TCP: u8 = 6;
/// The number of UDP.
pub const UDP: u8 = 17;
/// The number of ICMPv6.
pub const ICMPV6: u8 = 58;

/// Where a packet comes from and where it goes.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    /// The link-layer address of the sender.
    pub from_mac: Mac,
    /// The link-layer address of the receiver.
    pub to_mac: Mac,
    /// The source.
    pub from: Ipv6Addr,
    /// The destination.
    pub to: Ipv6Addr,
}

/// The link-layer address of a multicast group.
pub fn group_mac(group: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = group.octets();
    [0x33, 0x33, a, b, c, d]
}

/// A frame of any protocol.
pub fn ethernet(ends: Ends, kind: u16, payload: &[u8]) -> Vec<u8> {
    [&ends.to_mac[..], &ends.from_mac, &kind.to_be_bytes(), payload].concat()
}

/// A packet with these headers and this payload.
pub fn ipv6(ends: Ends, next: u8, hops: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let fixed = [&[0x60, 0, 0, 0][..], &length, &[next, hops]].concat();
    let packet = [&fixed[..], &ends.from.octets(), &ends.to.octets(), payload].concat();
    ethernet(ends, 0x86dd, &packet)
}

fn checksum(ends: Ends, next: u8, payload: &[u8]) -> u16 {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let pseudo = [
        &ends.from.octets()[..],
        &ends.to.octets(),
        &length,
        &[0, 0, 0, next],
        payload,
    ]
    .concat();
    let words = pseudo
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

fn with_checksum(ends: Ends, next: u8, mut payload: Vec<u8>, at: usize) -> Vec<u8> {
    let sum = checksum(ends, next, &payload).to_be_bytes();
    payload[at..at + 2].copy_from_slice(&sum);
    payload
}

/// A UDP datagram without its IPv6 header.
pub fn udp_bytes(ends: Ends, ports: (u16, u16), data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + data.len()).unwrap();
    let header = [ports.0, ports.1, length, 0].map(u16::to_be_bytes).concat();
    with_checksum(ends, UDP, [&header[..], data].concat(), 6)
}

/// A UDP datagram.
pub fn udp(ends: Ends, ports: (u16, u16), data: &[u8]) -> Vec<u8> {
    ipv6(ends, UDP, 64, &udp_bytes(ends, ports, data))
}

/// A segment with these flags: 2 begins a connection, 18 answers that, 16 goes on.
pub fn tcp(ends: Ends, ports: (u16, u16), flags: u8, data: &[u8]) -> Vec<u8> {
    let ports = [ports.0, ports.1].map(u16::to_be_bytes).concat();
    let header = [
        &ports[..],
        &[0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0x20, 0, 0, 0, 0, 0],
        data,
    ]
    .concat();
    ipv6(ends, TCP, 64, &with_checksum(ends, TCP, header, 16))
}

/// A message of ICMPv6 of this type, without its IPv6 header.
pub fn icmp_bytes(ends: Ends, kind: u8, body: &[u8]) -> Vec<u8> {
    with_checksum(ends, ICMPV6, [&[kind, 0, 0, 0][..], body].concat(), 2)
}

/// A message of ICMPv6 of this type.
pub fn icmp(ends: Ends, kind: u8, hops: u8, body: &[u8]) -> Vec<u8> {
    ipv6(ends, ICMPV6, hops, &icmp_bytes(ends, kind, body))
}

/// An echo request.
pub fn echo(ends: Ends, data: &[u8]) -> Vec<u8> {
    icmp(ends, 128, 64, &[&[0, 1, 0, 1], data].concat())
}

/// A neighbour advertisement: solicited, and in place of what is known.
pub fn advert(ends: Ends, target: Ipv6Addr, option: Option<Mac>) -> Vec<u8> {
    let option = option.map(|mac| [&[2, 1][..], &mac].concat()).unwrap_or_default();
    icmp(
        ends,
        136,
        255,
        &[&[0x60, 0, 0, 0][..], &target.octets(), &option].concat(),
    )
}

/// A neighbour solicitation; `option` is the link-layer address of its source.
pub fn solicit(ends: Ends, target: Ipv6Addr, option: Option<Mac>) -> Vec<u8> {
    let option = option.map(|mac| [&[1, 1][..], &mac].concat()).unwrap_or_default();
    icmp(ends, 135, 255, &[&[0; 4][..], &target.octets(), &option].concat())
}

/// A fragment of a packet: its first or a later part.
pub fn fragment(ends: Ends, next: u8, offset: u16, more: bool, part: &[u8]) -> Vec<u8> {
    let place = (offset << 3 | u16::from(more)).to_be_bytes();
    let header = [&[next, 0][..], &place, &[0, 0, 0, 7], part].concat();
    ipv6(ends, 44, 255, &header)
}
