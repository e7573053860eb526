//! What NFLOG tells of a packet. Its payload is what a stranger sent.

use std::net::Ipv6Addr;

use super::ULOG;
use crate::netfilter::{attributes, messages};

/// The kind of message that carries a packet.
const PACKET: u16 = ULOG << 8;
/// Attributes of it.
const INTERFACE: u16 = 4;
const PHYSICAL_INTERFACE: u16 = 6;
const HARDWARE_ADDRESS: u16 = 8;
const PAYLOAD: u16 = 9;
/// Bytes of the headers of netfilter, IPv6 and UDP.
const NETFILTER: usize = 4;
const IPV6: usize = 40;
const UDP: usize = 8;
/// The ports of a message from a server to a client: 547 and 546.
pub(super) const SERVER_TO_CLIENT: [u8; 4] = [2, 35, 2, 34];

/// Where one DHCPv6 message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginRecord<'d> {
    /// The index of the bridge.
    pub bridge: u32,
    /// The index of the bridge's port.
    pub port: u32,
    /// The link-layer address that the frame came from.
    pub link_layer: [u8; 6],
    /// The address that the packet came from.
    pub source: Ipv6Addr,
    /// The bytes of the message: what the UDP socket delivers.
    pub message: &'d [u8],
    /// Whether a server sent it to a client, which only the log shows.
    pub from_server: bool,
}

/// The records in a datagram of NFLOG. What is incomplete is left out.
pub(super) fn records(datagram: &[u8]) -> impl Iterator<Item = OriginRecord<'_>> {
    let packets = messages(datagram).filter(|(kind, _)| *kind == PACKET);
    packets.filter_map(|(_, body)| record(body.get(NETFILTER..)?))
}

fn record(body: &[u8]) -> Option<OriginRecord<'_>> {
    let (mut bridge, mut port, mut link_layer, mut payload) = (None, None, None, None);
    for (kind, value) in attributes(body) {
        match kind {
            INTERFACE => bridge = number(value),
            PHYSICAL_INTERFACE => port = number(value),
            HARDWARE_ADDRESS => link_layer = hardware_address(value),
            PAYLOAD => payload = Some(value),
            _ => {}
        }
    }
    let packet = payload?;
    let (source, message) = datagram(packet)?;
    Some(OriginRecord {
        bridge: bridge?,
        port: port?,
        link_layer: link_layer?,
        source,
        message,
        from_server: packet.get(IPV6..IPV6 + 4) == Some(&SERVER_TO_CLIENT[..]),
    })
}

fn number(value: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(value.try_into().ok()?))
}

/// The length, two unused bytes, and eight bytes of which an Ethernet address is six.
fn hardware_address(value: &[u8]) -> Option<[u8; 6]> {
    let length = u16::from_be_bytes(value.get(..2)?.try_into().ok()?);
    if length != 6 {
        return None;
    }
    value.get(4..10)?.try_into().ok()
}

/// The source and the UDP payload of a packet that is here as a whole. A frame may be padded, and the UDP header says
/// where the message ends.
fn datagram(packet: &[u8]) -> Option<(Ipv6Addr, &[u8])> {
    let source: [u8; 16] = packet.get(8..24)?.try_into().ok()?;
    let length = usize::from(u16::from_be_bytes(packet.get(IPV6 + 4..IPV6 + 6)?.try_into().ok()?));
    let message = packet.get(IPV6 + UDP..IPV6 + length)?;
    Some((source.into(), message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netfilter::Message;

    fn packet(message: &[u8], length: usize) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, 0, 17, 1];
        packet.extend("fe80::5".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend("ff02::1:2".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend([2, 34, 2, 35]);
        packet.extend(u16::try_from(length).unwrap().to_be_bytes());
        packet.extend([0, 0]);
        packet.extend(message);
        packet
    }

    fn logged(packet: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let message = Message::new(ULOG, 0)
            .with(INTERFACE, &7_u32.to_be_bytes())
            .with(PHYSICAL_INTERFACE, &9_u32.to_be_bytes())
            .with(HARDWARE_ADDRESS, &[0, 6, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0])
            .with(PAYLOAD, packet);
        message.encode(0, &mut bytes);
        bytes
    }

    #[test]
    fn a_record_has_port_bridge_link_layer_address_and_message() {
        let bytes = logged(&packet(b"solicit", 15));
        let record = records(&bytes).next().unwrap();
        assert_eq!(
            (record.bridge, record.port, record.link_layer),
            (7, 9, [2, 0, 0, 0, 0, 1])
        );
        assert_eq!(
            (record.source, record.message),
            ("fe80::5".parse().unwrap(), &b"solicit"[..])
        );
        assert!(!record.from_server);
        let mut answer = packet(b"advertise", 17);
        answer[40..44].copy_from_slice(&SERVER_TO_CLIENT);
        assert!(records(&logged(&answer)).next().unwrap().from_server);
        let padded = logged(&packet(b"solicit\0\0\0", 15));
        assert_eq!(records(&padded).next().unwrap().message, b"solicit");
    }

    #[test]
    fn what_lies_about_its_length_or_is_cut_is_left_out() {
        for length in [0, 7, 16, 40, 65_535] {
            let bytes = logged(&packet(b"solicit", length));
            assert_eq!(records(&bytes).count(), 0, "{length}");
        }
        let whole = packet(b"solicit", 15);
        for cut in 0..whole.len() {
            assert_eq!(records(&logged(&whole[..cut])).count(), 0, "{cut}");
        }
        let bytes = logged(&whole);
        for cut in 0..bytes.len() {
            records(&bytes[..cut]).for_each(drop);
        }
    }
}
