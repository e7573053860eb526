//! The DHCPv6 socket of one bridge.

use std::io;

use socket2::{Protocol, SockAddr, Type};

use super::raw::BridgeSocket;
use super::{ALL_AGENTS, ALL_SERVERS, SERVER_PORT};

/// Room for what arrives while a batch is handled: a herd of clients boots at once.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// Opens the server's socket on a bridge: port 547, with the groups that clients and relay agents send to.
pub(super) fn open(bridge: &str, index: u32) -> io::Result<BridgeSocket> {
    let socket = BridgeSocket::open(Type::DGRAM, Protocol::UDP, bridge)?;
    socket.set_only_v6(true)?;
    // The kernel grants less where its limit is lower; that is no reason not to serve.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    let any = std::net::SocketAddrV6::new(std::net::Ipv6Addr::UNSPECIFIED, SERVER_PORT, 0, 0);
    socket.bind(&SockAddr::from(any))?;
    socket.join_multicast_v6(&ALL_AGENTS, index)?;
    socket.join_multicast_v6(&ALL_SERVERS, index)?;
    BridgeSocket::new(socket)
}
