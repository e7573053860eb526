//! The client's socket: UDP port 546 of one interface (RFC 9915, section 7.2).

use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::UdpSocket;

const CLIENT_PORT: u16 = 546;
const SERVER_PORT: u16 = 547;
/// All_DHCP_Relay_Agents_and_Servers (section 7.1).
const SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
/// The longest possible datagram.
const LONGEST: usize = 65_535;

/// Opens the client's socket on an interface, given by name and index, in the network namespace of the calling thread.
/// The socket stays in that namespace.
///
/// # Errors
///
/// When the port is taken, the interface does not exist, or the caller may not open the port.
pub fn open_socket(interface: &str, index: u32) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_only_v6(true)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.set_multicast_if_v6(index)?;
    let any = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, CLIENT_PORT, 0, 0);
    socket.bind(&SockAddr::from(any))?;
    Ok(socket.into())
}

/// The client's socket.
#[derive(Debug)]
pub(super) struct ClientSocket {
    socket: UdpSocket,
    servers: SocketAddrV6,
    buffer: Box<[u8]>,
}

impl ClientSocket {
    /// Takes a socket of [`open_socket`] for the interface of this index.
    pub(super) fn new(socket: std::net::UdpSocket, index: u32) -> io::Result<Self> {
        Ok(Self {
            socket: UdpSocket::from_std(socket)?,
            servers: SocketAddrV6::new(SERVERS, SERVER_PORT, 0, index),
            buffer: vec![0; LONGEST].into(),
        })
    }

    /// Sends to all servers, without waiting.
    pub(super) fn send(&self, datagram: &[u8]) -> io::Result<()> {
        self.socket.try_send_to(datagram, self.servers.into()).map(drop)
    }

    /// The next datagram. Cancel-safe.
    pub(super) async fn receive(&mut self) -> io::Result<Received> {
        loop {
            let (length, source) = self.socket.recv_from(&mut self.buffer).await?;
            // The socket takes IPv6 alone.
            if let SocketAddr::V6(source) = source {
                return Ok(Received {
                    datagram: self.buffer[..length].to_vec(),
                    from: *source.ip(),
                });
            }
        }
    }
}

/// A datagram that arrived on the client's port.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) datagram: Vec<u8>,
    /// Its sender.
    pub(super) from: Ipv6Addr,
}
