//! Frames, byte by byte.

use std::net::Ipv6Addr;

pub(crate) type Mac = [u8; 6];

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMPV6: u8 = 58;

/// Where a packet comes from and where it goes.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) from_mac: Mac,
    pub(crate) to_mac: Mac,
    pub(crate) from: Ipv6Addr,
    pub(crate) to: Ipv6Addr,
}

/// The link-layer address of a multicast group.
pub(crate) fn group_mac(group: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = group.octets();
    [0x33, 0x33, a, b, c, d]
}

/// A frame of any protocol.
pub(crate) fn ethernet(ends: Ends, kind: u16, payload: &[u8]) -> Vec<u8> {
    [&ends.to_mac[..], &ends.from_mac, &kind.to_be_bytes(), payload].concat()
}

/// A packet with these headers and this payload.
pub(crate) fn ipv6(ends: Ends, next: u8, hops: u8, payload: &[u8]) -> Vec<u8> {
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

pub(crate) fn udp_bytes(ends: Ends, ports: (u16, u16), data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + data.len()).unwrap();
    let header = [ports.0, ports.1, length, 0].map(u16::to_be_bytes).concat();
    with_checksum(ends, UDP, [&header[..], data].concat(), 6)
}

pub(crate) fn udp(ends: Ends, ports: (u16, u16), data: &[u8]) -> Vec<u8> {
    ipv6(ends, UDP, 64, &udp_bytes(ends, ports, data))
}

/// A segment with these flags: 2 begins a connection, 18 answers that, 16 goes on.
pub(crate) fn tcp(ends: Ends, ports: (u16, u16), flags: u8, data: &[u8]) -> Vec<u8> {
    let ports = [ports.0, ports.1].map(u16::to_be_bytes).concat();
    let header = [
        &ports[..],
        &[0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0x20, 0, 0, 0, 0, 0],
        data,
    ]
    .concat();
    ipv6(ends, TCP, 64, &with_checksum(ends, TCP, header, 16))
}

pub(crate) fn icmp_bytes(ends: Ends, kind: u8, body: &[u8]) -> Vec<u8> {
    with_checksum(ends, ICMPV6, [&[kind, 0, 0, 0][..], body].concat(), 2)
}

pub(crate) fn icmp(ends: Ends, kind: u8, hops: u8, body: &[u8]) -> Vec<u8> {
    ipv6(ends, ICMPV6, hops, &icmp_bytes(ends, kind, body))
}

pub(crate) fn echo(ends: Ends, data: &[u8]) -> Vec<u8> {
    icmp(ends, 128, 64, &[&[0, 1, 0, 1], data].concat())
}

/// A neighbour advertisement: solicited, and in place of what is known.
pub(crate) fn advert(ends: Ends, target: Ipv6Addr, option: Option<Mac>) -> Vec<u8> {
    let option = option.map(|mac| [&[2, 1][..], &mac].concat()).unwrap_or_default();
    icmp(
        ends,
        136,
        255,
        &[&[0x60, 0, 0, 0][..], &target.octets(), &option].concat(),
    )
}

pub(crate) fn solicit(ends: Ends, target: Ipv6Addr, option: Option<Mac>) -> Vec<u8> {
    let option = option.map(|mac| [&[1, 1][..], &mac].concat()).unwrap_or_default();
    icmp(ends, 135, 255, &[&[0; 4][..], &target.octets(), &option].concat())
}

/// A fragment of a packet: its first or a later part.
pub(crate) fn fragment(ends: Ends, next: u8, offset: u16, more: bool, part: &[u8]) -> Vec<u8> {
    let place = (offset << 3 | u16::from(more)).to_be_bytes();
    let header = [&[next, 0][..], &place, &[0, 0, 0, 7], part].concat();
    ipv6(ends, 44, 255, &header)
}
