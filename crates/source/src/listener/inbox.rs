//! The buffers for one batch of datagrams, reused for each batch.

use std::net::SocketAddrV6;
use std::num::NonZeroU32;

use orchestrator_dhcp6::Inbound;

/// The number of datagrams that are read, handled and committed together.
pub(super) const BATCH: usize = 64;
/// The largest datagram that is read. A client's message takes a few hundred bytes; larger ones are discarded whole.
const LARGEST: usize = 8 * 1024;

/// A datagram in its buffer.
pub(super) struct Datagram<'a> {
    pub(super) inbound: Inbound<'a>,
    /// As in [`Head`].
    pub(super) mark: Option<NonZeroU32>,
}

/// A batch of datagrams.
pub(super) struct Inbox {
    room: Vec<u8>,
    heads: Vec<Option<Head>>,
}

/// The metadata of a datagram.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// Its length in bytes.
    pub length: usize,
    /// Its sender.
    pub source: SocketAddrV6,
    /// Whether it was sent to a multicast address.
    pub multicast: bool,
    /// The mark that the packet had in the kernel, if it had one and the kernel shows it.
    pub mark: Option<NonZeroU32>,
    /// Whether it was longer than its buffer, so that bytes are missing.
    pub truncated: bool,
}

impl Inbox {
    /// Buffers grow with the datagrams that come.
    pub(super) fn new() -> Self {
        Self {
            room: vec![0; BATCH * LARGEST],
            heads: Vec::with_capacity(BATCH),
        }
    }

    /// The buffers.
    pub(super) fn rooms(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.room.chunks_exact_mut(LARGEST)
    }

    /// Records what was read into the buffers.
    pub(super) fn fill(&mut self, heads: Vec<Option<Head>>) {
        self.heads = heads;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// The datagrams. One that was too long is an `Err` with its sender.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = Result<Datagram<'_>, SocketAddrV6>> {
        let filled = self.room.chunks_exact(LARGEST).zip(&self.heads);
        filled.filter_map(|(room, head)| {
            let head = head.as_ref()?;
            if head.truncated {
                return Some(Err(head.source));
            }
            let inbound = Inbound {
                datagram: room.get(..head.length)?,
                source: head.source,
                multicast: head.multicast,
            };
            let mark = head.mark;
            Some(Ok(Datagram { inbound, mark }))
        })
    }
}
