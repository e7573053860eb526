//! Reads many datagrams at once, with the mark that the kernel has for each. No library reads marks.

#![expect(unsafe_code, reason = "the one place that calls recvmmsg")]

use std::io::{self, IoSliceMut};
use std::mem::{self, MaybeUninit};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::num::NonZeroU32;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use nix::libc;

use super::inbox::{BATCH, Head};

/// Bytes for the control messages of a datagram, in words: its destination takes 40 bytes, its mark 24.
const CONTROL: usize = 8;

/// Has the kernel show the mark of each datagram that the socket receives.
///
/// # Errors
///
/// Linux before 5.19, and a process without CAP_NET_ADMIN and CAP_NET_RAW.
pub(super) fn show_marks(socket: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the kernel reads an integer of this length, which outlives the call.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVMARK,
            ptr::from_ref(&on).cast(),
            libc::socklen_t::try_from(mem::size_of_val(&on)).unwrap_or_default(),
        )
    };
    match outcome {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Reads what waits, a datagram for each room at most and [`BATCH`] in all, without waiting. Returns the metadata of each;
/// `None` for one without a sender, because then there is nobody to answer.
pub(super) fn receive<'r>(
    socket: BorrowedFd<'_>,
    rooms: impl Iterator<Item = &'r mut [u8]>,
) -> io::Result<Vec<Option<Head>>> {
    let mut rooms: [Option<IoSliceMut<'r>>; BATCH] = {
        let mut rooms = rooms.map(IoSliceMut::new);
        std::array::from_fn(|_| rooms.next())
    };
    let count = rooms.iter().flatten().count();
    // SAFETY: all bytes zero are a value of this type: numbers, addresses of nothing.
    let mut senders: [libc::sockaddr_in6; BATCH] = unsafe { MaybeUninit::zeroed().assume_init() };
    let mut controls = [[0_u64; CONTROL]; BATCH];
    // SAFETY: as above.
    let mut messages: [libc::mmsghdr; BATCH] = unsafe { MaybeUninit::zeroed().assume_init() };
    let places = messages.iter_mut().zip(&mut rooms).zip(&mut senders).zip(&mut controls);
    for (((message, room), sender), control) in places {
        let Some(room) = room else { break };
        let header = &mut message.msg_hdr;
        header.msg_name = ptr::from_mut(sender).cast();
        header.msg_namelen = libc::socklen_t::try_from(mem::size_of_val(sender)).unwrap_or_default();
        // An IoSliceMut has the layout of an iovec, as the standard library promises.
        header.msg_iov = ptr::from_mut(room).cast();
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = mem::size_of_val(control);
    }
    let vlen = libc::c_uint::try_from(count).unwrap_or_default();
    // SAFETY: each of the first `count` headers refers to a sender, a room and a control buffer of its own, with their
    // lengths. They outlive the call, and nothing else refers to them meanwhile.
    let read = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            messages.as_mut_ptr(),
            vlen,
            libc::MSG_DONTWAIT,
            ptr::null_mut(),
        )
    };
    let read = usize::try_from(read).map_err(|_| io::Error::last_os_error())?;
    let read = messages.iter().zip(&senders).zip(&controls).take(read);
    Ok(read
        .map(|((message, sender), control)| head(message, sender, control))
        .collect())
}

fn head(message: &libc::mmsghdr, sender: &libc::sockaddr_in6, control: &[u64; CONTROL]) -> Option<Head> {
    let header = &message.msg_hdr;
    let is_whole = usize::try_from(header.msg_namelen).ok()? >= mem::size_of_val(sender);
    if !is_whole || libc::c_int::from(sender.sin6_family) != libc::AF_INET6 {
        return None;
    }
    let source = SocketAddrV6::new(
        Ipv6Addr::from(sender.sin6_addr.s6_addr),
        u16::from_be(sender.sin6_port),
        sender.sin6_flowinfo,
        sender.sin6_scope_id,
    );
    let mut bytes = [0; CONTROL * size_of::<u64>()];
    for (place, word) in bytes.chunks_exact_mut(size_of::<u64>()).zip(control) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    let shown = bytes.get(..header.msg_controllen).unwrap_or(&bytes);
    let (mut multicast, mut mark) = (false, None);
    for (level, kind, value) in control_messages(shown) {
        match (level, kind) {
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => multicast = value.first() == Some(&0xff),
            (libc::SOL_SOCKET, libc::SO_MARK) => mark = value.try_into().ok().map(u32::from_ne_bytes),
            _ => {}
        }
    }
    Some(Head {
        length: usize::try_from(message.msg_len).unwrap_or_default(),
        source,
        multicast,
        mark: mark.and_then(NonZeroU32::new),
        truncated: header.msg_flags & libc::MSG_TRUNC != 0,
    })
}

/// The control messages in a buffer that the kernel has filled: level, kind and value. What is incomplete ends them.
fn control_messages(mut rest: &[u8]) -> impl Iterator<Item = (libc::c_int, libc::c_int, &[u8])> {
    /// A length, which counts the header, a level and a kind.
    const HEADER: usize = size_of::<usize>() + 8;
    std::iter::from_fn(move || {
        let (length, others) = rest.split_first_chunk()?;
        let (level, others) = others.split_first_chunk()?;
        let (kind, _) = others.split_first_chunk()?;
        let length = usize::from_ne_bytes(*length);
        let value = rest.get(HEADER..length)?;
        rest = rest
            .get(length.next_multiple_of(size_of::<usize>())..)
            .unwrap_or_default();
        Some((
            libc::c_int::from_ne_bytes(*level),
            libc::c_int::from_ne_bytes(*kind),
            value,
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn what_waits_is_read_with_senders_and_lengths_and_what_is_too_long_is_cut() {
        let (server, client) = (UdpSocket::bind("[::1]:0").unwrap(), UdpSocket::bind("[::1]:0").unwrap());
        let to = server.local_addr().unwrap();
        for message in [&b"one"[..], b"", b"longer than its room"] {
            client.send_to(message, to).unwrap();
        }
        let mut room = [0; 4 * 8];
        let heads = receive(server.as_fd(), room.chunks_exact_mut(8)).unwrap();
        let heads: Vec<Head> = heads.into_iter().flatten().collect();
        assert_eq!(
            heads
                .iter()
                .map(|head| (head.length, head.truncated))
                .collect::<Vec<_>>(),
            [(3, false), (0, false), (8, true)]
        );
        let from = client.local_addr().unwrap();
        assert!(heads.iter().all(|head| std::net::SocketAddr::from(head.source) == from));
        assert_eq!(&room[..3], b"one");
        assert_eq!(&room[16..24], b"longer t");
        let nothing = receive(server.as_fd(), room.chunks_exact_mut(8)).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_batch_reads_no_more_than_it_has_rooms() {
        let (server, client) = (UdpSocket::bind("[::1]:0").unwrap(), UdpSocket::bind("[::1]:0").unwrap());
        for n in 0..=BATCH {
            client.send_to(&n.to_be_bytes(), server.local_addr().unwrap()).unwrap();
        }
        let mut room = [0; 2 * 8];
        assert_eq!(receive(server.as_fd(), room.chunks_exact_mut(8)).unwrap().len(), 2);
        let mut room = vec![0; 2 * BATCH * 8];
        let rest = receive(server.as_fd(), room.chunks_exact_mut(8)).unwrap();
        assert_eq!(rest.len(), BATCH - 1);
    }

    #[test]
    fn control_messages_that_are_cut_end_the_list() {
        let mut bytes = Vec::new();
        for (kind, value) in [(36, [7_u8, 0, 0, 0]), (50, [9, 9, 9, 9])] {
            bytes.extend(20_usize.to_ne_bytes());
            bytes.extend([1_i32.to_ne_bytes(), i32::to_ne_bytes(kind)].concat());
            bytes.extend(value);
            bytes.extend([0; 4]);
        }
        let all: Vec<_> = control_messages(&bytes).collect();
        assert_eq!(all, [(1, 36, &[7, 0, 0, 0][..]), (1, 50, &[9, 9, 9, 9])]);
        for cut in 0..bytes.len() {
            assert!(control_messages(&bytes[..cut]).count() < 2 || cut >= 44, "{cut}");
        }
        let no_length = [0; 24];
        assert_eq!(control_messages(&no_length).count(), 0);
    }
}
