//! Datagrams, read and sent many at a time.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddrV6;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn6, recvmmsg, sendmmsg};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// The number of datagrams that are read and answered together.
const BATCH: usize = 64;
/// The largest query that is read, in bytes. A query has one question, and few options.
const LARGEST: usize = 2048;

/// The room for one batch of datagrams.
pub(super) struct Inbox {
    room: Vec<u8>,
}

/// A response to be sent.
pub(super) struct Reply {
    pub(super) bytes: Vec<u8>,
    pub(super) to: SocketAddrV6,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self {
            room: vec![0; BATCH * LARGEST],
        }
    }

    /// Waits for datagrams, and passes each that waits with its sender. Returns how many were too long. Cancel-safe.
    pub(super) async fn receive(
        &mut self,
        socket: &UdpSocket,
        mut pass: impl FnMut(SocketAddrV6, &[u8]),
    ) -> io::Result<usize> {
        loop {
            socket.readable().await?;
            match socket.try_io(Interest::READABLE, || self.read(socket, &mut pass)) {
                Ok(too_long) => return Ok(too_long),
                Err(fault) if matches!(fault.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(fault) => return Err(fault),
            }
        }
    }

    fn read(&mut self, socket: &UdpSocket, pass: &mut impl FnMut(SocketAddrV6, &[u8])) -> io::Result<usize> {
        let mut rooms: Vec<[IoSliceMut<'_>; 1]> = self
            .room
            .chunks_exact_mut(LARGEST)
            .map(|room| [IoSliceMut::new(room)])
            .collect();
        let mut headers = MultiHeaders::<SockaddrIn6>::preallocate(rooms.len(), None);
        let received = recvmmsg(
            socket.as_raw_fd(),
            &mut headers,
            rooms.iter_mut(),
            MsgFlags::MSG_DONTWAIT,
            None,
        )?;
        let mut too_long = 0;
        for datagram in received {
            if datagram.flags.contains(MsgFlags::MSG_TRUNC) {
                too_long += 1;
                continue;
            }
            let Some(from) = datagram.address else { continue };
            pass(from.into(), datagram.iovs().next().unwrap_or_default());
        }
        Ok(too_long)
    }
}

/// Passes responses to the kernel without waiting. Returns how many it did not accept.
pub(super) fn send(socket: &UdpSocket, replies: &[Reply]) -> usize {
    let (mut rest, mut unsent) = (replies, 0);
    while let Some((_, others)) = rest.split_first() {
        match write(socket, rest) {
            Ok(sent) => rest = rest.get(sent.max(1)..).unwrap_or_default(),
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                unsent += 1;
                rest = others;
            }
        }
    }
    unsent
}

/// Passes on as many responses as the kernel accepts. An error concerns the first.
fn write(socket: &UdpSocket, replies: &[Reply]) -> io::Result<usize> {
    if let [only] = replies {
        return socket.try_send_to(&only.bytes, only.to.into()).map(|_| 1);
    }
    let slices: Vec<[IoSlice<'_>; 1]> = replies.iter().map(|reply| [IoSlice::new(&reply.bytes)]).collect();
    let to: Vec<Option<SockaddrIn6>> = replies.iter().map(|reply| Some(reply.to.into())).collect();
    socket.try_io(Interest::WRITABLE, || {
        let mut headers = MultiHeaders::preallocate(slices.len(), None);
        let sent = sendmmsg(
            socket.as_raw_fd(),
            &mut headers,
            &slices,
            &to,
            [],
            MsgFlags::MSG_DONTWAIT,
        );
        sent.map(Iterator::count).map_err(Errno::into)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_is_read_at_once_and_what_is_too_long_is_counted() {
        let (server, client) = (
            UdpSocket::bind("[::1]:0").await.unwrap(),
            UdpSocket::bind("[::1]:0").await.unwrap(),
        );
        let to = server.local_addr().unwrap();
        for message in [&b"one"[..], b"", &[7; LARGEST + 1]] {
            client.send_to(message, to).await.unwrap();
        }
        let mut inbox = Inbox::new();
        let mut received = Vec::new();
        let read = inbox.receive(&server, |from, bytes| received.push((from, bytes.to_vec())));
        assert_eq!(read.await.unwrap(), 1);
        let std::net::SocketAddr::V6(from) = client.local_addr().unwrap() else {
            panic!("it is one of IPv6")
        };
        assert_eq!(received, [(from, b"one".to_vec()), (from, Vec::new())]);
        let reply = |bytes: &[u8]| Reply {
            bytes: bytes.to_vec(),
            to: from,
        };
        assert_eq!(send(&server, &[reply(b"two"), reply(&[0; 70_000]), reply(b"three")]), 1);
        let mut room = [0; 16];
        for expected in [&b"two"[..], b"three"] {
            let length = client.recv(&mut room).await.unwrap();
            assert_eq!(&room[..length], expected);
        }
    }
}
