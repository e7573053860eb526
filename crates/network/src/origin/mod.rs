//! Where DHCPv6 messages come from: the bridge port and the link-layer address, which no UDP socket shows.
//!
//! ```text
//!   bridge port ──▶ bridge, input hook ─── marked ──▶ UDP socket of the listener, with the mark (SO_RCVMARK)
//!                       │ rule: UDP to port 547. The mark is a keyed hash of port and link-layer address
//!                       └── a mark that is new ──▶ NFLOG ──▶ OriginLog::receive
//! ```
//!
//! - A rule of nftables marks each message, and copies the first one with a mark to us before the kernel delivers it. Whoever
//!   has read a message from its UDP socket finds what its mark means in this log, without a wait, unless the record was
//!   dropped. Each mark is logged again every few seconds.
//! - Records are dropped, and messages never are: the rule has a rate limit, and the socket of the log a bounded buffer.
//! - The rule is built from constants and a number. No text of a user or a client is in it.
//! - The table of the rule belongs to our socket. The kernel removes both together, also when the daemon is killed, and
//!   lets nobody else change the table.

mod packet;
mod rule;

use std::io;
use std::os::fd::AsRawFd;

use netlink_sys::Socket;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, setsockopt, sockopt::RcvBufForce};

pub use self::packet::{OriginRecord, OriginSender};
use crate::netfilter::{Message, ask, connect};
use crate::{Network, NetworkError, thread};

/// NFLOG groups that are tried: each belongs to one program of a network namespace.
const GROUPS: std::ops::Range<u16> = 28_547..28_579;
/// The bound on what waits to be read, in bytes: some thousand records.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;
/// The buffer that the kernel allocates for each record, in bytes.
const RECORD_BUFFER: u32 = 512;
/// What is copied of a packet, in bytes: more than the headers of IPv6 and UDP, or ICMPv6.
const COPIED: u32 = 64;
/// Records that one call reads at most.
const AT_ONCE: usize = 512;

/// Subsystem and messages of NFLOG.
const ULOG: u16 = 4;
const CONFIG: u16 = 1;

/// Reads where DHCPv6 messages came from, on all bridges of the daemon's network namespace.
pub struct OriginLog {
    log: Socket,
    /// Owns the table with the rule.
    _table: Socket,
}

/// What one call of [`OriginLog::receive`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Records that were read.
    pub records: usize,
    /// Whether the kernel dropped records, because they were not read in time.
    pub lost: bool,
}

impl Network {
    /// Begins to log where DHCPv6 messages come from. `name` tells the tables of several daemons apart.
    ///
    /// # Errors
    ///
    /// [`Refused`](NetworkError::Refused) when the kernel has no nftables for bridges or no NFLOG, or when all groups are
    /// taken; [`NotPermitted`](NetworkError::NotPermitted) without CAP_NET_ADMIN.
    pub async fn log_origins(&self, name: &str) -> Result<OriginLog, NetworkError> {
        let table = rule::table_name(name);
        thread::run(&self.own, move || OriginLog::open(&table)).await
    }
}

impl OriginLog {
    /// Opens both sockets in the network namespace of the calling thread, which may wait here.
    fn open(table: &str) -> Result<Self, NetworkError> {
        let (log, group) = open_log().map_err(|fault| refused("opening a log of packets (NFLOG)", fault))?;
        let installed = install(table, group);
        let table = installed.map_err(|fault| refused("adding a rule to nftables' family bridge", fault))?;
        log.set_non_blocking(true).map_err(NetworkError::Open)?;
        Ok(Self { log, _table: table })
    }

    /// Passes on each record that waits to be read, up to a bound. Never waits.
    ///
    /// # Errors
    ///
    /// When the socket fails. Open another log then.
    pub fn receive(&self, mut each: impl FnMut(&OriginRecord)) -> io::Result<Received> {
        let mut received = Received {
            records: 0,
            lost: false,
        };
        let mut buffer = [0; 1024];
        for _ in 0..AT_ONCE {
            match recv(self.log.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(length) => {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    for record in packet::records(datagram) {
                        received.records += 1;
                        each(&record);
                    }
                }
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(Errno::ENOBUFS) => received.lost = true,
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(received)
    }
}

fn refused(doing: &str, source: io::Error) -> NetworkError {
    match source.kind() {
        io::ErrorKind::PermissionDenied => NetworkError::NotPermitted { doing: doing.into() },
        _ => NetworkError::Refused {
            doing: doing.into(),
            source,
        },
    }
}

/// A socket that receives the packets of a group, and the group.
fn open_log() -> io::Result<(Socket, u16)> {
    let socket = connect()?;
    let group = take_group(&socket)?;
    // More than other programs get without privilege; where it is refused, the kernel's default is kept.
    let _ = setsockopt(&socket, RcvBufForce, &RECEIVE_BUFFER);
    Ok((socket, group))
}

/// Binds the socket to the first group that nobody has.
fn take_group(socket: &Socket) -> io::Result<u16> {
    let mut refused = None;
    for group in GROUPS {
        match ask(socket, &configure(group)) {
            Ok(()) => return Ok(group),
            // So it is where another program has the group, and where we lack the privilege.
            Err(fault) if fault.kind() == io::ErrorKind::PermissionDenied => refused = Some(fault),
            Err(fault) => return Err(fault),
        }
    }
    Err(refused.unwrap_or_else(|| io::Error::other("there is no group to take")))
}

/// Takes a group, whole packets of it, and each at once: a record is there before its message is delivered.
fn configure(group: u16) -> Vec<Message> {
    const COMMAND: u16 = 1;
    const MODE: u16 = 2;
    const BUFFER: u16 = 3;
    const THRESHOLD: u16 = 5;
    const BIND: u8 = 1;
    const COPY_PACKET: u8 = 2;
    let of = |message: Message| message.with_resource(group);
    let mode = [&COPIED.to_be_bytes()[..], &[COPY_PACKET, 0]].concat();
    vec![
        of(Message::new(ULOG, CONFIG)).with(COMMAND, &[BIND]),
        of(Message::new(ULOG, CONFIG))
            .with(MODE, &mode)
            .with(BUFFER, &RECORD_BUFFER.to_be_bytes())
            .with(THRESHOLD, &1_u32.to_be_bytes()),
    ]
}

/// Makes the table with its rule. It exists for as long as the socket.
fn install(table: &str, group: u16) -> io::Result<Socket> {
    let socket = connect()?;
    ask(&socket, &rule::transaction(table, group))?;
    Ok(socket)
}
