//! What NFLOG tells of a packet. Its payload is what a stranger sent.

use std::net::Ipv6Addr;
use std::num::NonZeroU32;

use super::ULOG;
use crate::netfilter::{attributes, messages};

/// The kind of message that carries a packet.
const PACKET: u16 = ULOG << 8;
/// Attributes of it.
const MARK: u16 = 2;
const INTERFACE: u16 = 4;
const PHYSICAL_INTERFACE: u16 = 6;
const HARDWARE_ADDRESS: u16 = 8;
const PAYLOAD: u16 = 9;
/// Bytes of the headers of netfilter and IPv6.
const NETFILTER: usize = 4;
const IPV6: usize = 40;
/// The ports of a message from a server to a client: 547 and 546.
pub(super) const SERVER_TO_CLIENT: [u8; 4] = [2, 35, 2, 34];
/// Next header and hop limit of a router advertisement (RFC 4861, section 4.2), and its type.
pub(super) const ICMP6_OF_NEIGHBOR: [u8; 2] = [58, 255];
pub(super) const ROUTER_ADVERTISEMENT: u8 = 134;

/// The sender of a packet that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginSender {
    /// A client or a relay agent.
    Client,
    /// A DHCPv6 server, to a client. Only the log shows it.
    Server,
    /// A router, in an advertisement. The log shows it also where a rule drops it.
    Router,
}

/// Where DHCPv6 messages with one mark come from, or where a server or a router is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginRecord {
    /// The mark that the kernel gives to each message of a client from this port and link-layer address, until the log is
    /// closed; `None` for what servers and routers send. Packets of other programs may have the same.
    pub mark: Option<NonZeroU32>,
    /// The index of the bridge.
    pub bridge: u32,
    /// The index of the bridge's port.
    pub port: u32,
    /// The link-layer address that the frame came from.
    pub link_layer: [u8; 6],
    /// The address that the packet came from.
    pub source: Ipv6Addr,
    /// Who sent it.
    pub sender: OriginSender,
}

/// The records in a datagram of NFLOG. What is incomplete is left out.
pub(super) fn records(datagram: &[u8]) -> impl Iterator<Item = OriginRecord> {
    let packets = messages(datagram).filter(|(kind, _)| *kind == PACKET);
    packets.filter_map(|(_, body)| record(body.get(NETFILTER..)?))
}

fn record(body: &[u8]) -> Option<OriginRecord> {
    let (mut mark, mut bridge, mut port, mut link_layer, mut packet) = (None, None, None, None, None);
    for (kind, value) in attributes(body) {
        match kind {
            MARK => mark = number(value),
            INTERFACE => bridge = number(value),
            PHYSICAL_INTERFACE => port = number(value),
            HARDWARE_ADDRESS => link_layer = hardware_address(value),
            PAYLOAD => packet = Some(value),
            _ => {}
        }
    }
    let packet = packet?;
    let source: [u8; 16] = packet.get(8..24)?.try_into().ok()?;
    let sender = sender(packet)?;
    Some(OriginRecord {
        mark: mark
            .and_then(NonZeroU32::new)
            .filter(|_| sender == OriginSender::Client),
        bridge: bridge?,
        port: port?,
        link_layer: link_layer?,
        source: source.into(),
        sender,
    })
}

/// Who sent a packet of those that the rules log.
fn sender(packet: &[u8]) -> Option<OriginSender> {
    let is_of_neighbor = packet.get(6..8)? == ICMP6_OF_NEIGHBOR;
    let first = packet.get(IPV6..IPV6 + 4)?;
    Some(match first.first() {
        Some(&ROUTER_ADVERTISEMENT) if is_of_neighbor => OriginSender::Router,
        _ if first == SERVER_TO_CLIENT => OriginSender::Server,
        _ => OriginSender::Client,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netfilter::Message;

    /// The headers of a packet that a client sends.
    fn packet() -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, 0, 17, 1];
        packet.extend("fe80::5".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend("ff02::1:2".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend([2, 34, 2, 35]);
        packet
    }

    fn logged(mark: u32, packet: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let message = Message::new(ULOG, 0)
            .with(MARK, &mark.to_be_bytes())
            .with(INTERFACE, &7_u32.to_be_bytes())
            .with(PHYSICAL_INTERFACE, &9_u32.to_be_bytes())
            .with(HARDWARE_ADDRESS, &[0, 6, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0])
            .with(PAYLOAD, packet);
        message.encode(0, &mut bytes);
        bytes
    }

    #[test]
    fn a_record_has_mark_port_bridge_and_addresses() {
        let record = records(&logged(5, &packet())).next().unwrap();
        let expected = OriginRecord {
            mark: NonZeroU32::new(5),
            bridge: 7,
            port: 9,
            link_layer: [2, 0, 0, 0, 0, 1],
            source: "fe80::5".parse().unwrap(),
            sender: OriginSender::Client,
        };
        assert_eq!(record, expected);
        let mut answer = packet();
        answer[40..44].copy_from_slice(&SERVER_TO_CLIENT);
        let record = records(&logged(5, &answer)).next().unwrap();
        assert!(record.sender == OriginSender::Server && record.mark.is_none());
        let mut advertisement = packet();
        advertisement[6..8].copy_from_slice(&ICMP6_OF_NEIGHBOR);
        advertisement[40] = ROUTER_ADVERTISEMENT;
        let record = records(&logged(5, &advertisement)).next().unwrap();
        assert!(record.sender == OriginSender::Router && record.mark.is_none());
        assert_eq!(records(&logged(0, &packet())).next().unwrap().mark, None);
    }

    #[test]
    fn what_is_cut_is_left_out() {
        let whole = packet();
        for cut in 0..whole.len() {
            assert_eq!(records(&logged(5, &whole[..cut])).count(), 0, "{cut}");
        }
        let bytes = logged(5, &whole);
        for cut in 0..bytes.len() {
            records(&bytes[..cut]).for_each(drop);
        }
    }
}
