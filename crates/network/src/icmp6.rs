//! ICMPv6 on one bridge: a raw socket that receives only the types it asks for.

use std::io::{self, IoSliceMut};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::AsRawFd;

use nix::libc::{BPF_ABS, BPF_B, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, c_int};
use nix::sys::socket::sockopt::Ipv6RecvHopLimit;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, setsockopt};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// The longest message that is read whole: what fits into a frame.
const LONGEST: usize = 1500;

/// A socket that receives and sends ICMPv6 on one bridge, with the hop limit 255 of neighbour discovery.
///
/// It opens in the network namespace of the calling thread, which must be within a tokio runtime.
#[derive(Debug)]
pub struct Icmp6Socket {
    index: u32,
    // Around a raw socket: the runtime only waits for its file descriptor.
    socket: UdpSocket,
}

/// A message of ICMPv6 as it came; the kernel has checked its checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Icmp6Message {
    /// From its type on.
    pub bytes: Vec<u8>,
    /// Who sent it.
    pub source: Ipv6Addr,
    /// The hop limit that it came with; less than 255 came through a router.
    pub hop_limit: u8,
}

impl Icmp6Socket {
    /// Opens it on a bridge, for messages of these types to our own addresses and to these groups.
    ///
    /// # Errors
    ///
    /// When it cannot be opened: the bridge is gone, no CAP_NET_RAW.
    pub fn open(bridge: &str, index: u32, types: &[u8], groups: &[Ipv6Addr]) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
        // First of all, so that nothing else fills the socket.
        socket.attach_filter(&filter(types))?;
        socket.set_nonblocking(true)?;
        socket.bind_device(Some(bridge.as_bytes()))?;
        socket.set_multicast_all_v6(false)?;
        socket.set_multicast_loop_v6(false)?;
        socket.set_multicast_if_v6(index)?;
        socket.set_multicast_hops_v6(255)?;
        socket.set_unicast_hops_v6(255)?;
        setsockopt(&socket, Ipv6RecvHopLimit, &true)?;
        for group in groups {
            socket.join_multicast_v6(group, index)?;
        }
        let socket = UdpSocket::from_std(socket.into())?;
        Ok(Self { index, socket })
    }

    /// Waits for the next message; what is longer than a frame is passed over. Cancel-safe.
    ///
    /// # Errors
    ///
    /// When the socket fails: the bridge is gone.
    pub async fn receive(&self) -> io::Result<Icmp6Message> {
        loop {
            let received = self.socket.async_io(Interest::READABLE, || self.receive_one()).await?;
            if let Some(message) = received {
                return Ok(message);
            }
        }
    }

    /// Waits until the kernel takes a message: a socket that has just been opened may not be ready to. Cancel-safe.
    ///
    /// # Errors
    ///
    /// When the socket fails.
    pub async fn writable(&self) -> io::Result<()> {
        self.socket.writable().await
    }

    /// Hands a message to the kernel, which fills in its checksum; never waits.
    ///
    /// # Errors
    ///
    /// When the kernel does not take it.
    pub fn send(&self, bytes: &[u8], to: Ipv6Addr) -> io::Result<()> {
        let to = SocketAddrV6::new(to, 0, 0, self.index);
        self.socket.try_send_to(bytes, to.into()).map(drop)
    }

    fn receive_one(&self) -> io::Result<Option<Icmp6Message>> {
        let mut bytes = vec![0; LONGEST];
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let mut control = nix::cmsg_space!(c_int);
        let received = recvmsg::<SockaddrIn6>(
            self.socket.as_raw_fd(),
            &mut slices,
            Some(&mut control),
            MsgFlags::MSG_DONTWAIT,
        )?;
        let mut hop_limit = None;
        for message in received.cmsgs()? {
            if let ControlMessageOwned::Ipv6HopLimit(limit) = message {
                hop_limit = u8::try_from(limit).ok();
            }
        }
        let whole = !received.flags.contains(MsgFlags::MSG_TRUNC);
        let source = received.address.filter(|_| whole).map(|address| address.ip());
        let length = received.bytes;
        bytes.truncate(length);
        Ok(source.zip(hop_limit).map(|(source, hop_limit)| Icmp6Message {
            bytes,
            source,
            hop_limit,
        }))
    }
}

/// A program that lets messages of these types pass, by their first byte.
fn filter(types: &[u8]) -> Vec<SockFilter> {
    // The operations are smaller than 2¹⁶.
    let instruction = |code: u32, jump: u8, k: u32| SockFilter::new(code as u16, jump, 0, k);
    let mut program = vec![instruction(BPF_LD | BPF_B | BPF_ABS, 0, 0)];
    // Past the tests that are left, and past the refusal.
    program.extend((1..=types.len()).zip(types).map(|(number, kind)| {
        let jump = u8::try_from(types.len() - number + 1).unwrap_or(u8::MAX);
        instruction(BPF_JMP | BPF_JEQ | BPF_K, jump, u32::from(*kind))
    }));
    program.push(instruction(BPF_RET | BPF_K, 0, 0));
    program.push(instruction(BPF_RET | BPF_K, 0, u32::MAX));
    program
}
