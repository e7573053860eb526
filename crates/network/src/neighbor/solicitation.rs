//! Neighbour solicitations and advertisements on a bridge, whomever they are for.

use std::io::{self, IoSliceMut};
use std::net::Ipv6Addr;
use std::os::fd::AsRawFd;

use nix::libc::{
    BPF_ABS, BPF_B, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, ETH_P_IPV6, SKF_AD_IFINDEX, SKF_AD_OFF,
};
use nix::sys::socket::{LinkAddr, MsgFlags, recvmsg};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::runtime;

use crate::namespace::Namespace;
use crate::{NetworkError, thread};

const NEIGHBOR_SOLICITATION: u8 = 135;
const NEIGHBOR_ADVERTISEMENT: u8 = 136;
/// Next header ICMPv6.
const ICMPV6: u8 = 58;
/// The hop limit of neighbour discovery. A packet that came through a router has a lower one (RFC 4861, section 7.1).
const HOP_LIMIT: u8 = 255;
/// Places in a packet: IPv6 header, then type, code, checksum, flags and target.
const NEXT_HEADER: usize = 6;
const HOPS: usize = 7;
const SOURCE: usize = 8;
const TYPE: usize = 40;
const TARGET: usize = 48;
/// All that is read of a packet.
const HEAD: usize = TARGET + 16;

/// A packet socket that receives them.
pub(super) struct Solicitations {
    bridge: usize,
    // Around a packet socket: the runtime only waits for its file descriptor.
    socket: UdpSocket,
}

impl Solicitations {
    /// Opens it in a namespace.
    pub(super) async fn open(own: &Namespace, bridge: u32) -> Result<Self, NetworkError> {
        let runtime = runtime::Handle::current();
        thread::run(own, move || {
            let _reactor = runtime.enter();
            socket(bridge).map_err(|source| NetworkError::Refused {
                doing: "listening to neighbours (this takes CAP_NET_RAW)".into(),
                source,
            })
        })
        .await
    }

    /// Waits for the next one, and returns the address that its sender uses or is about to use, with the sender's
    /// link-layer address. Cancel-safe.
    pub(super) async fn receive(&self) -> io::Result<(Ipv6Addr, [u8; 6])> {
        loop {
            let received = self.socket.async_io(Interest::READABLE, || self.receive_one()).await?;
            if let Some(heard) = received {
                return Ok(heard);
            }
        }
    }

    fn receive_one(&self) -> io::Result<Option<(Ipv6Addr, [u8; 6])>> {
        let mut bytes = [0; HEAD];
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let received = recvmsg::<LinkAddr>(self.socket.as_raw_fd(), &mut slices, None, MsgFlags::MSG_DONTWAIT)?;
        let sender = received.address.filter(|from| from.ifindex() == self.bridge);
        let (mac, length) = (sender.and_then(|from| from.addr()), received.bytes);
        Ok(bytes.get(..length).and_then(address_of).zip(mac))
    }
}

fn socket(bridge: u32) -> Result<Solicitations, io::Error> {
    // Without link-layer headers: packets begin with that of IPv6. The kernel wants the protocol in network order.
    let protocol = Protocol::from(i32::from((ETH_P_IPV6 as u16).to_be()));
    let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol))?;
    // Packets that came before the filter was attached are checked again when they are read.
    socket.attach_filter(&filter(bridge))?;
    socket.set_nonblocking(true)?;
    Ok(Solicitations {
        bridge: bridge as usize,
        socket: UdpSocket::from_std(socket.into())?,
    })
}

/// The address that the sender of a packet uses or is about to use: it advertises the address, or solicits a neighbour
/// from it, or checks whether another host has it (from the unspecified address, RFC 4862, section 5.4.2).
fn address_of(packet: &[u8]) -> Option<Ipv6Addr> {
    if *packet.get(NEXT_HEADER)? != ICMPV6 || *packet.get(HOPS)? != HOP_LIMIT {
        return None;
    }
    let at = |place: usize| -> Option<Ipv6Addr> {
        let octets: [u8; 16] = packet.get(place..place + 16)?.try_into().ok()?;
        Some(octets.into())
    };
    let (source, target) = (at(SOURCE)?, at(TARGET)?);
    match *packet.get(TYPE)? {
        NEIGHBOR_SOLICITATION if source.is_unspecified() => Some(target),
        NEIGHBOR_SOLICITATION => Some(source),
        NEIGHBOR_ADVERTISEMENT => Some(target),
        _ => None,
    }
}

/// A program that lets solicitations and advertisements on one interface pass.
fn filter(interface: u32) -> Vec<SockFilter> {
    // The operations are smaller than 2¹⁶, and the kernel's own fields have places below zero.
    let instruction = |code: u32, then: u8, other: u8, k: u32| SockFilter::new(code as u16, then, other, k);
    let load = |place: usize| instruction(BPF_LD | BPF_B | BPF_ABS, 0, 0, place as u32);
    let unless = |value: u32, past: u8| instruction(BPF_JMP | BPF_JEQ | BPF_K, 0, past, value);
    vec![
        instruction(BPF_LD | BPF_W | BPF_ABS, 0, 0, (SKF_AD_OFF + SKF_AD_IFINDEX) as u32),
        unless(interface, 8),
        load(NEXT_HEADER),
        unless(ICMPV6.into(), 6),
        load(HOPS),
        unless(HOP_LIMIT.into(), 4),
        load(TYPE),
        instruction(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, NEIGHBOR_SOLICITATION.into()),
        unless(NEIGHBOR_ADVERTISEMENT.into(), 1),
        instruction(BPF_RET | BPF_K, 0, 0, u32::MAX),
        instruction(BPF_RET | BPF_K, 0, 0, 0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "fd00::5";
    const OTHER: &str = "fd00::6";

    fn packet(kind: u8, source: &str, target: &str) -> Vec<u8> {
        let octets = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
        [
            &[0x60, 0, 0, 0, 0, 24, ICMPV6, HOP_LIMIT][..],
            &octets(source),
            &octets("ff02::1"),
            &[kind, 0, 0, 0, 0, 0, 0, 0],
            &octets(target),
        ]
        .concat()
    }

    #[test]
    fn the_address_is_the_senders() {
        let host = HOST.parse().ok();
        assert_eq!(address_of(&packet(NEIGHBOR_SOLICITATION, "::", HOST)), host);
        assert_eq!(address_of(&packet(NEIGHBOR_SOLICITATION, HOST, OTHER)), host);
        assert_eq!(address_of(&packet(NEIGHBOR_ADVERTISEMENT, "fe80::5", HOST)), host);
    }

    #[test]
    fn what_is_something_else_has_none() {
        assert_eq!(address_of(&packet(134, HOST, OTHER)), None);
        let mut routed = packet(NEIGHBOR_SOLICITATION, "::", HOST);
        routed[HOPS] = 64;
        assert_eq!(address_of(&routed), None);
        assert_eq!(address_of(&packet(NEIGHBOR_SOLICITATION, "::", HOST)[..HEAD - 1]), None);
    }
}
