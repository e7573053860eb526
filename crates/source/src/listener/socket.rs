//! The DHCPv6 socket of one interface. It reads and writes in batches, and knows the destination of each datagram.

use std::io::{self, IoSlice};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::socket::sockopt::Ipv6RecvPacketInfo;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn6, sendmmsg, setsockopt};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::inbox::Inbox;
use super::{GROUPS, SERVER_PORT, batch};

/// The size of the receive buffer, in bytes. It holds a burst of clients that boot at the same time.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// A socket that receives and sends on one interface only.
#[derive(Debug)]
pub(super) struct Port {
    socket: UdpSocket,
}

/// A datagram to be sent.
#[derive(Debug)]
pub(super) struct Reply {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its destination.
    pub to: SocketAddrV6,
    /// The port to send from.
    pub port: Arc<Port>,
}

impl Port {
    /// Opens the server's socket on an interface: port 547, with the multicast groups of servers and relay agents.
    pub(super) fn open(interface: &str, index: u32) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        socket.bind_device(Some(interface.as_bytes()))?;
        socket.set_multicast_all_v6(false)?;
        // The server's own multicasts must not come back.
        socket.set_multicast_loop_v6(false)?;
        setsockopt(&socket, Ipv6RecvPacketInfo, &true)?;
        if let Err(fault) = batch::show_marks(socket.as_fd()) {
            let error = &fault as &dyn std::error::Error;
            tracing::warn!(
                interface,
                error,
                "leases do not record the bridge port of their client: the kernel shows no marks"
            );
        }
        socket.set_only_v6(true)?;
        // The kernel grants less if its limit is lower. The server works with that, too.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        let any = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, SERVER_PORT, 0, 0);
        socket.bind(&SockAddr::from(any))?;
        for group in GROUPS {
            socket.join_multicast_v6(&group, index)?;
        }
        Ok(Self {
            socket: UdpSocket::from_std(socket.into())?,
        })
    }

    /// Waits for datagrams, and reads as many as the inbox can hold. Cancel-safe.
    pub(super) async fn receive(&self, inbox: &mut Inbox) -> io::Result<()> {
        loop {
            self.socket.readable().await?;
            match self.socket.try_io(Interest::READABLE, || self.read(inbox)) {
                Ok(()) if inbox.is_empty() => {}
                Ok(()) => return Ok(()),
                Err(fault) if matches!(fault.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(fault) => return Err(fault),
            }
        }
    }

    fn read(&self, inbox: &mut Inbox) -> io::Result<()> {
        let heads = batch::receive(self.socket.as_fd(), inbox.rooms())?;
        inbox.fill(heads);
        Ok(())
    }

    /// Passes datagrams to the kernel without waiting. Calls `refused` for each one that the kernel does not accept.
    pub(super) fn send(&self, replies: &[Reply], mut refused: impl FnMut(&Reply, io::Error)) {
        let mut rest = replies;
        while let Some((first, others)) = rest.split_first() {
            match self.write(rest) {
                Ok(sent) => rest = rest.get(sent.max(1)..).unwrap_or_default(),
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(fault) => {
                    refused(first, fault);
                    rest = others;
                }
            }
        }
    }

    /// Passes on as many datagrams as the kernel accepts. An error concerns the first.
    fn write(&self, replies: &[Reply]) -> io::Result<usize> {
        if let [only] = replies {
            return self.socket.try_send_to(&only.bytes, only.to.into()).map(|_| 1);
        }
        let slices: Vec<[IoSlice<'_>; 1]> = replies.iter().map(|reply| [IoSlice::new(&reply.bytes)]).collect();
        let to: Vec<Option<SockaddrIn6>> = replies.iter().map(|reply| Some(reply.to.into())).collect();
        self.socket.try_io(Interest::WRITABLE, || {
            let mut headers = MultiHeaders::preallocate(slices.len(), None);
            let (socket, flags) = (self.socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
            let sent = sendmmsg(socket, &mut headers, &slices, &to, [], flags);
            sent.map(Iterator::count).map_err(Errno::into)
        })
    }
}
