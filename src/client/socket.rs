//! The client's socket: UDP port 546 of one interface (RFC 9915, section 7.2).

use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::UdpSocket;

const CLIENT_PORT: u16 = 546;
const SERVER_PORT: u16 = 547;
/// All_DHCP_Relay_Agents_and_Servers (section 7.1).
const SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
/// Room for the longest datagram there is.
const LONGEST: usize = 65_535;

/// The socket.
#[derive(Debug)]
pub(super) struct ClientSocket {
    socket: UdpSocket,
    servers: SocketAddrV6,
    buffer: Box<[u8]>,
}

impl ClientSocket {
    pub(super) fn open(interface: &str, index: u32) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        socket.set_only_v6(true)?;
        socket.bind_device(Some(interface.as_bytes()))?;
        socket.set_multicast_if_v6(index)?;
        let any = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, CLIENT_PORT, 0, 0);
        socket.bind(&SockAddr::from(any))?;
        Ok(Self {
            socket: UdpSocket::from_std(socket.into())?,
            servers: SocketAddrV6::new(SERVERS, SERVER_PORT, 0, index),
            buffer: vec![0; LONGEST].into(),
        })
    }

    /// Sends to all servers; never waits.
    pub(super) fn send(&self, datagram: &[u8]) -> io::Result<()> {
        self.socket.try_send_to(datagram, self.servers.into()).map(drop)
    }

    /// The next datagram from a neighbour: servers and relays answer from link-local addresses, and nobody beyond the
    /// link has one. Cancel-safe.
    pub(super) async fn receive(&mut self) -> io::Result<&[u8]> {
        loop {
            let (length, source) = self.socket.recv_from(&mut self.buffer).await?;
            let neighbour = match source {
                SocketAddr::V6(source) => source.ip().is_unicast_link_local(),
                SocketAddr::V4(_) => false,
            };
            if neighbour {
                return Ok(&self.buffer[..length]);
            }
            tracing::debug!(%source, "a datagram is passed over: its sender is no neighbour");
        }
    }
}
