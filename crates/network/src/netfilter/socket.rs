//! A netlink socket of netfilter.

use std::io;
use std::os::fd::AsRawFd;

use netlink_sys::constants::NETLINK_NETFILTER;
use netlink_sys::{AsyncSocket, Socket, SocketAddr, TokioSocket};
use nix::errno::Errno;
use nix::sys::socket::sockopt::{RcvBufForce, ReceiveTimeout, SndBufForce};
use nix::sys::socket::{MsgFlags, recv, setsockopt};
use nix::sys::time::{TimeVal, TimeValLike};

use super::Message;
use super::message::{Answer, answer, answers};
use crate::LIMIT;

/// Bytes that may wait in a socket. A transaction is sent at once, and a dump is read as fast as it comes.
const BUFFER: usize = 32 * 1024 * 1024;
/// Bytes of the largest datagram of a dump.
const DATAGRAM: usize = 64 * 1024;

/// Opens a socket in the network namespace of the calling thread.
pub(crate) fn connect() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    // More than other programs get without privilege; where it is refused, the kernel's default is kept.
    let _ = setsockopt(&socket, SndBufForce, &BUFFER);
    let _ = setsockopt(&socket, RcvBufForce, &BUFFER);
    setsockopt(
        &socket,
        ReceiveTimeout,
        &TimeVal::seconds(LIMIT.as_secs().try_into().unwrap_or(i64::MAX)),
    )?;
    Ok(socket)
}

/// Opens a socket that receives the changes of a group, in the network namespace of the calling thread, which must be
/// within a runtime.
pub(crate) fn subscribe(group: u32) -> io::Result<TokioSocket> {
    let mut socket = TokioSocket::new(NETLINK_NETFILTER)?;
    socket.socket_mut().bind_auto()?;
    socket.socket_mut().add_membership(group)?;
    let _ = setsockopt(socket.socket_mut(), RcvBufForce, &BUFFER);
    Ok(socket)
}

/// Sends messages and waits until the kernel has answered each that wants it. Fails with the first refusal.
pub(crate) fn ask(socket: &Socket, messages: &[Message]) -> io::Result<()> {
    drain(socket)?;
    let mut bytes = Vec::new();
    let mut expected = 0;
    for (sequence, message) in (1..).zip(messages) {
        message.encode(sequence, &mut bytes);
        expected += usize::from(message.is_answered());
    }
    socket.send(&bytes, 0)?;
    let mut all = Ok(());
    while expected > 0 {
        let (datagram, _kernel) = socket.recv_from_full()?;
        for (sequence, outcome) in answer(&datagram) {
            let wanted = usize::try_from(sequence)
                .ok()
                .and_then(|number| messages.get(number.checked_sub(1)?));
            // A refusal of what wants no answer is one of the whole transaction: there may be no other.
            match wanted.is_some_and(Message::is_answered) {
                true => expected = expected.saturating_sub(1),
                false => expected = 0,
            }
            // All are read, so that none is taken for an answer to the next question.
            all = all.and(outcome);
        }
    }
    all
}

/// Reads what waits: answers to a question that failed before all of them were read.
fn drain(socket: &Socket) -> io::Result<()> {
    let mut buffer = vec![0; DATAGRAM];
    loop {
        match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(_) | Err(Errno::EINTR | Errno::ENOBUFS) => {}
            Err(Errno::EAGAIN) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Asks for everything of a kind, and passes on each message of the answer without its netfilter header. Nothing that
/// does not exist is no failure: nothing is passed on. Returns `false` if something changed meanwhile: ask again.
pub(crate) fn dump(socket: &Socket, question: &Message, mut each: impl FnMut(&[u8])) -> io::Result<bool> {
    drain(socket)?;
    let mut bytes = Vec::new();
    question.encode(1, &mut bytes);
    socket.send(&bytes, 0)?;
    let mut buffer = vec![0; DATAGRAM];
    let mut whole = true;
    loop {
        let length = match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(length) => length,
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno.into()),
        };
        for message in answers(buffer.get(..length).unwrap_or_default()) {
            match message {
                Answer::Part { body, interrupted } => {
                    whole &= !interrupted;
                    each(body.get(4..).unwrap_or_default());
                }
                Answer::End => return Ok(whole),
                Answer::Outcome(Ok(())) => return Ok(whole),
                Answer::Outcome(Err(fault)) if fault.raw_os_error() == Some(Errno::ENOENT as i32) => return Ok(whole),
                Answer::Outcome(Err(fault)) => return Err(fault),
            }
        }
    }
}

/// Whether the kernel wants a privilege that we do not have.
pub(crate) fn is_permission(fault: &io::Error) -> bool {
    fault.kind() == io::ErrorKind::PermissionDenied
}
