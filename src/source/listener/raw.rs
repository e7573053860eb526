//! What the DHCPv6 socket is made of: bound to one bridge, read without blocking, each datagram with
//! where it was sent to.

use std::io::{self, IoSliceMut};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsRawFd, RawFd};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// The largest datagram that is read. A client's message takes a few hundred bytes; larger ones are discarded whole.
pub(super) const LARGEST: usize = 8 * 1024;

/// A datagram as it came.
#[derive(Debug)]
pub(super) struct Datagram {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Who sent it.
    pub source: SocketAddrV6,
    /// Whom it was sent to.
    pub destination: Option<Ipv6Addr>,
    /// It was longer than [`LARGEST`]; the bytes are not all there.
    pub truncated: bool,
}

/// A socket of one bridge.
#[derive(Debug)]
pub(super) struct BridgeSocket {
    socket: UdpSocket,
}

impl BridgeSocket {
    /// Opens a socket that hears and speaks on `bridge` only.
    pub(super) fn open(kind: Type, protocol: Protocol, bridge: &str) -> io::Result<Socket> {
        let socket = Socket::new(Domain::IPV6, kind, Some(protocol))?;
        socket.set_nonblocking(true)?;
        socket.bind_device(Some(bridge.as_bytes()))?;
        socket.set_multicast_all_v6(false)?;
        // Our own multicasts are not for us.
        socket.set_multicast_loop_v6(false)?;
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::Ipv6RecvPacketInfo, &true)?;
        Ok(socket)
    }

    /// Takes a socket that has been set up, inside the runtime that will wait for it.
    pub(super) fn new(socket: Socket) -> io::Result<Self> {
        Ok(Self {
            socket: UdpSocket::from_std(socket.into())?,
        })
    }

    /// Waits until there is something to read, and reads up to `most` datagrams. Cancel-safe.
    pub(super) async fn receive(&self, most: usize, batch: &mut Vec<Datagram>) -> io::Result<()> {
        loop {
            self.socket.readable().await?;
            while batch.len() < most {
                match self
                    .socket
                    .try_io(Interest::READABLE, || receive_one(self.socket.as_raw_fd()))
                {
                    Ok(Some(datagram)) => batch.push(datagram),
                    Ok(None) => {}
                    Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                    Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => break,
                    Err(fault) => return Err(fault),
                }
            }
            if !batch.is_empty() {
                return Ok(());
            }
        }
    }

    /// Hands a datagram to the kernel; never waits.
    pub(super) fn send(&self, bytes: &[u8], to: SocketAddrV6) -> io::Result<()> {
        self.socket.try_send_to(bytes, to.into()).map(drop)
    }
}

fn receive_one(socket: RawFd) -> io::Result<Option<Datagram>> {
    let mut bytes = vec![0; LARGEST];
    let mut slices = [IoSliceMut::new(&mut bytes)];
    let mut control = nix::cmsg_space!(nix::libc::in6_pktinfo);
    let received = recvmsg::<SockaddrIn6>(socket, &mut slices, Some(&mut control), MsgFlags::MSG_DONTWAIT)?;
    let mut destination = None;
    for message in received.cmsgs()? {
        if let ControlMessageOwned::Ipv6PacketInfo(to) = message {
            destination = Some(Ipv6Addr::from(to.ipi6_addr.s6_addr));
        }
    }
    let truncated = received.flags.contains(MsgFlags::MSG_TRUNC);
    // Without a sender there is nobody to answer.
    let Some(source) = received.address else {
        return Ok(None);
    };
    let (source, length) = (SocketAddrV6::from(source), received.bytes);
    bytes.truncate(length);
    Ok(Some(Datagram {
        bytes,
        source,
        destination,
        truncated,
    }))
}
