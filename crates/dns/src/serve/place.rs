//! Where queries are received.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;

use ipnet::Ipv6Net;
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;
/// The size of the receive buffer, in bytes. It holds the burst of a link that boots.
const RECEIVE_BUFFER: usize = 1024 * 1024;

/// Where queries are received, and whose.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The link or network whose bridge it is on, by the bridge's name and number; `None` for an address of any interface.
    /// A bridge that is made again has another number, and needs other sockets.
    pub bridge: Option<(String, u32)>,
    /// The address.
    pub address: Ipv6Addr,
    /// The port.
    pub port: u16,
    /// Whose queries are answered, besides those from link-local addresses; `None` for anybody's.
    pub clients: Option<Vec<Ipv6Net>>,
    /// The sustained limit on queries per second from one source; `None` for no limit.
    pub rate: Option<NonZeroU32>,
    /// The servers to which queries for other names are forwarded.
    pub forward: Vec<SocketAddr>,
}

impl Place {
    /// Whether this source may ask here.
    pub(super) fn serves(&self, source: Ipv6Addr) -> bool {
        let Some(clients) = &self.clients else { return true };
        source.is_unicast_link_local() || clients.iter().any(|prefix| prefix.contains(&source))
    }

    /// Whose queries are counted together: those of an address of the link, or of a /64 elsewhere.
    pub(super) fn share(&self, source: Ipv6Addr) -> Ipv6Addr {
        let mut on_link = self.clients.iter().flatten().filter(|prefix| prefix.prefix_len() >= 64);
        match source.is_unicast_link_local() || on_link.any(|prefix| prefix.contains(&source)) {
            true => source,
            false => Ipv6Addr::from_bits(source.to_bits() & !u128::from(u64::MAX)),
        }
    }

    pub(super) fn udp(&self) -> io::Result<std::net::UdpSocket> {
        let socket = self.socket(Type::DGRAM, Protocol::UDP)?;
        // The kernel grants less if its limit is lower. The server works with that, too.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        socket.bind(&SocketAddr::from((self.address, self.port)).into())?;
        Ok(socket.into())
    }

    pub(super) fn tcp(&self) -> io::Result<std::net::TcpListener> {
        let socket = self.socket(Type::STREAM, Protocol::TCP)?;
        // Connections that were closed a moment ago do not keep the port.
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((self.address, self.port)).into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    }

    fn socket(&self, kind: Type, protocol: Protocol) -> io::Result<Socket> {
        let socket = Socket::new(Domain::IPV6, kind.nonblocking(), Some(protocol))?;
        socket.set_only_v6(true)?;
        if let Some((bridge, _)) = &self.bridge {
            socket.bind_device(Some(bridge.as_bytes()))?;
        }
        // The bridge may be without the address for a moment.
        socket.set_freebind_v6(true)?;
        Ok(socket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_of_a_link_serves_its_prefixes_and_counts_others_by_their_64() {
        let mut place = Place {
            bridge: None,
            address: Ipv6Addr::LOCALHOST,
            port: 53,
            clients: Some(vec!["fd39::/64".parse().unwrap(), "fd40::/48".parse().unwrap()]),
            rate: None,
            forward: Vec::new(),
        };
        let address = |text: &str| text.parse::<Ipv6Addr>().unwrap();
        for (source, serves, share) in [
            ("fd39::7", true, "fd39::7"),
            ("fe80::7", true, "fe80::7"),
            ("fd40::1:2:3:4:5", true, "fd40:0:0:1::"),
            ("2001:db8::1", false, "2001:db8::"),
        ] {
            assert_eq!(place.serves(address(source)), serves, "{source}");
            assert_eq!(place.share(address(source)), address(share), "{source}");
        }
        place.clients = None;
        assert!(place.serves(address("2001:db8::1")));
    }
}
