//! A UDP socket on one interface that sends and receives in batches.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn6, recvmmsg, sendmmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};

/// Datagrams in one call to the kernel.
const BATCH: usize = 64;
/// The largest datagram that is read.
const LARGEST: usize = 1500;
/// Room for what comes while the other side has the processor.
const BUFFER: usize = 8 * 1024 * 1024;
/// Where clients listen (RFC 9915, section 7.2).
const CLIENT_PORT: u16 = 546;
/// Where servers listen.
const SERVER_PORT: u16 = 547;
/// All_DHCP_Relay_Agents_and_Servers.
const ALL_AGENTS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);

/// A socket with the room for its batches.
pub(crate) struct BatchSocket {
    socket: Socket,
    servers: SockaddrIn6,
    received: MultiHeaders<SockaddrIn6>,
    sent: MultiHeaders<SockaddrIn6>,
    buffers: Vec<[u8; LARGEST]>,
}

/// Datagrams that are to be sent.
#[derive(Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    to: Vec<Option<SockaddrIn6>>,
}

impl Outbox {
    /// Adds a datagram: what `write` appends.
    pub(crate) fn add(&mut self, to: SockaddrIn6, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
        self.to.push(Some(to));
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.to.clear();
    }
}

impl BatchSocket {
    /// The clients' socket.
    pub(crate) fn client(interface: &str) -> io::Result<Self> {
        Self::open(interface, CLIENT_PORT)
    }

    /// A server's socket.
    pub(crate) fn server(interface: &str) -> io::Result<Self> {
        let opened = Self::open(interface, SERVER_PORT)?;
        opened
            .socket
            .join_multicast_v6(&ALL_AGENTS, if_nametoindex(interface)?)?;
        Ok(opened)
    }

    fn open(interface: &str, port: u16) -> io::Result<Self> {
        let index = if_nametoindex(interface)?;
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_only_v6(true)?;
        socket.bind_device(Some(interface.as_bytes()))?;
        socket.set_multicast_if_v6(index)?;
        // Root may go beyond the kernel's limit; a smaller buffer only shows as loss.
        let _ = setsockopt(&socket, sockopt::RcvBufForce, &BUFFER);
        let _ = setsockopt(&socket, sockopt::SndBufForce, &BUFFER);
        socket.bind(&SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0).into())?;
        Ok(Self {
            socket,
            servers: SocketAddrV6::new(ALL_AGENTS, SERVER_PORT, 0, index).into(),
            received: MultiHeaders::preallocate(BATCH, None),
            sent: MultiHeaders::preallocate(BATCH, None),
            buffers: vec![[0; LARGEST]; BATCH],
        })
    }

    /// The address of all servers on the link.
    pub(crate) fn servers(&self) -> SockaddrIn6 {
        self.servers
    }

    /// Reads what is there, one batch at most, without waiting; says how many datagrams that were.
    pub(crate) fn receive(&mut self, mut each: impl FnMut(&[u8], SockaddrIn6)) -> io::Result<usize> {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = self
            .buffers
            .iter_mut()
            .map(|buffer| [IoSliceMut::new(buffer)])
            .collect();
        let flags = MsgFlags::MSG_DONTWAIT;
        let results = match recvmmsg(self.socket.as_raw_fd(), &mut self.received, &mut slices, flags, None) {
            Ok(results) => results,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(0),
            Err(fault) => return Err(fault.into()),
        };
        let mut count = 0;
        for result in results {
            count += 1;
            if let (Some(bytes), Some(from)) = (result.iovs().next(), result.address) {
                each(bytes, from);
            }
        }
        Ok(count)
    }

    /// Sends everything, waiting for room where there is none.
    pub(crate) fn send(&mut self, outbox: &mut Outbox) -> io::Result<()> {
        let mut done = 0;
        while done < outbox.len() {
            let most = outbox.len().min(done + BATCH);
            let begin = |index: usize| if index == 0 { 0 } else { outbox.ends[index - 1] };
            let slices: Vec<[IoSlice<'_>; 1]> = (done..most)
                .map(|index| [IoSlice::new(&outbox.bytes[begin(index)..outbox.ends[index]])])
                .collect();
            let to = &outbox.to[done..most];
            match sendmmsg(
                self.socket.as_raw_fd(),
                &mut self.sent,
                &slices,
                to,
                [],
                MsgFlags::MSG_DONTWAIT,
            ) {
                Ok(results) => done += results.count(),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN | Errno::ENOBUFS) => self.wait(PollFlags::POLLOUT, Duration::from_millis(10))?,
                Err(fault) => return Err(fault.into()),
            }
        }
        outbox.clear();
        Ok(())
    }

    /// Waits until there is something to read, but no longer than `limit`.
    pub(crate) fn wait_readable(&self, limit: Duration) -> io::Result<()> {
        self.wait(PollFlags::POLLIN, limit)
    }

    fn wait(&self, flags: PollFlags, limit: Duration) -> io::Result<()> {
        let mut waiting = [PollFd::new(self.socket.as_fd(), flags)];
        match ppoll(&mut waiting, Some(TimeSpec::from_duration(limit)), None) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(fault) => Err(fault.into()),
        }
    }
}
