//! Room for the datagrams of one batch, used again for each.

use std::net::SocketAddrV6;

use orchestrator_dhcp6::Inbound;

/// Datagrams that are read, handled and committed together.
pub(super) const BATCH: usize = 64;
/// The largest datagram that is read. A client's message takes a few hundred bytes; larger ones are discarded whole.
const LARGEST: usize = 8 * 1024;

/// A batch of datagrams.
pub(super) struct Inbox {
    room: Vec<u8>,
    heads: Vec<Option<Head>>,
}

/// The metadata of a datagram.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// Its bytes.
    pub length: usize,
    /// Who sent it.
    pub source: SocketAddrV6,
    /// Whether it was sent to a multicast address.
    pub multicast: bool,
    /// It was longer than the room for it; the bytes are not all there.
    pub truncated: bool,
}

impl Inbox {
    /// Memory is taken as datagrams come, and by as much as they are long.
    pub(super) fn new() -> Self {
        Self {
            room: vec![0; BATCH * LARGEST],
            heads: Vec::with_capacity(BATCH),
        }
    }

    /// Where datagrams are put.
    pub(super) fn rooms(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.room.chunks_exact_mut(LARGEST)
    }

    /// Says what was put there.
    pub(super) fn fill(&mut self, heads: Vec<Option<Head>>) {
        self.heads = heads;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// The datagrams. What was too long is `Err` with its sender.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = Result<Inbound<'_>, SocketAddrV6>> {
        let filled = self.room.chunks_exact(LARGEST).zip(&self.heads);
        filled.filter_map(|(room, head)| {
            let head = head.as_ref()?;
            if head.truncated {
                return Some(Err(head.source));
            }
            Some(Ok(Inbound {
                datagram: room.get(..head.length)?,
                source: head.source,
                multicast: head.multicast,
            }))
        })
    }
}
