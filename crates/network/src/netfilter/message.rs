//! Messages to netfilter: a netlink header, a netfilter header, and attributes.

use std::io;

/// Flags of a message: a request, an answer wanted, make what is not there.
const REQUEST: u16 = 0x01;
const ACKNOWLEDGE: u16 = 0x04;
const CREATE: u16 = 0x400;
/// A request for everything of a kind; something changed while it was answered.
const DUMP: u16 = 0x300;
const INTERRUPTED: u16 = 0x10;
/// An attribute that consists of attributes.
const NESTED: u16 = 0x8000;
/// The kind of the kernel's answers.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// Bytes of a netlink header.
const HEADER: usize = 16;

/// Attributes one after the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attributes(Vec<u8>);

impl Attributes {
    /// Adds an attribute.
    pub(crate) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        // Callers split what is longer than an attribute may be.
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Adds an attribute that ends with a zero byte.
    pub(crate) fn with_text(self, kind: u16, text: &str) -> Self {
        self.with(kind, &[text.as_bytes(), &[0]].concat())
    }

    /// Adds a number in network order.
    pub(crate) fn with_number(self, kind: u16, number: u32) -> Self {
        self.with(kind, &number.to_be_bytes())
    }

    /// Adds an attribute that consists of attributes that came from the kernel.
    pub(crate) fn with_raw(self, kind: u16, inner: &[u8]) -> Self {
        self.with(kind | NESTED, inner)
    }

    /// Adds an attribute that consists of attributes.
    pub(crate) fn with_nested(self, kind: u16, inner: &Self) -> Self {
        self.with(kind | NESTED, &inner.0)
    }
}

/// A message to a subsystem of netfilter.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    kind: u16,
    flags: u16,
    family: u8,
    resource: u16,
    attributes: Attributes,
}

impl Message {
    /// A request that the kernel answers.
    pub(crate) fn new(subsystem: u16, kind: u16) -> Self {
        Self {
            kind: subsystem << 8 | kind,
            flags: REQUEST | ACKNOWLEDGE,
            family: 0,
            resource: 0,
            attributes: Attributes::default(),
        }
    }

    /// The begin or the end of a transaction, which is not answered.
    pub(crate) fn mark(kind: u16, subsystem: u16) -> Self {
        Self {
            kind,
            flags: REQUEST,
            resource: subsystem,
            ..Self::new(0, 0)
        }
    }

    /// For a protocol family.
    pub(crate) fn for_family(self, family: u8) -> Self {
        Self { family, ..self }
    }

    /// About a resource: a group.
    pub(crate) fn with_resource(self, resource: u16) -> Self {
        Self { resource, ..self }
    }

    /// Makes what the message is about.
    pub(crate) fn creating(self) -> Self {
        Self {
            flags: self.flags | CREATE,
            ..self
        }
    }

    /// Asks for everything of a kind, in an answer of many messages.
    pub(crate) fn for_all(self) -> Self {
        Self {
            flags: REQUEST | DUMP,
            ..self
        }
    }

    /// With an attribute.
    pub(crate) fn with(self, kind: u16, value: &[u8]) -> Self {
        Self {
            attributes: self.attributes.with(kind, value),
            ..self
        }
    }

    /// With all these attributes.
    pub(crate) fn having(self, attributes: Attributes) -> Self {
        Self { attributes, ..self }
    }

    /// Whether the kernel answers it.
    pub(crate) fn is_answered(&self) -> bool {
        self.flags & ACKNOWLEDGE != 0
    }

    /// Adds its bytes.
    pub(crate) fn encode(&self, sequence: u32, bytes: &mut Vec<u8>) {
        let length = u32::try_from(HEADER + 4 + self.attributes.0.len()).unwrap_or(u32::MAX);
        bytes.extend(length.to_ne_bytes());
        bytes.extend(self.kind.to_ne_bytes());
        bytes.extend(self.flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        // The port of the kernel's answer is that of the socket.
        bytes.extend(0_u32.to_ne_bytes());
        bytes.extend([self.family, 0]);
        bytes.extend(self.resource.to_be_bytes());
        bytes.extend(&self.attributes.0);
    }
}

/// The kernel's answers in a datagram: the sequence number of the message that it accepts, or why it does not.
pub(crate) fn answer(datagram: &[u8]) -> Vec<(u32, io::Result<()>)> {
    let answers = messages_with_headers(datagram).filter(|(kind, ..)| *kind == ERROR);
    answers
        .map(|(_, header, body)| (sequence(header), outcome(body)))
        .collect()
}

fn sequence(header: &[u8]) -> u32 {
    let bytes = header.get(8..12).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u32::from_ne_bytes).unwrap_or_default()
}

/// The number of the socket that a message comes from, or that caused it.
pub(crate) fn port(header: &[u8]) -> u32 {
    let bytes = header.get(12..16).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u32::from_ne_bytes).unwrap_or_default()
}

/// What the kernel says to one message.
fn outcome(body: &[u8]) -> io::Result<()> {
    let code = body.get(..4).and_then(|code| code.try_into().ok());
    match code.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// A message of the kernel's answer to a request for everything of a kind.
pub(crate) enum Answer<'d> {
    /// One of many.
    Part {
        /// What follows the netlink header.
        body: &'d [u8],
        /// Whether something changed while the kernel answered.
        interrupted: bool,
    },
    /// The last.
    End,
    /// A refusal, or nothing else.
    Outcome(io::Result<()>),
}

/// The messages of a datagram that answers a request for everything of a kind.
pub(crate) fn answers(datagram: &[u8]) -> impl Iterator<Item = Answer<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(rest.get(..4)?.try_into().ok()?) as usize;
        let kind = u16::from_ne_bytes(rest.get(4..6)?.try_into().ok()?);
        let flags = u16::from_ne_bytes(rest.get(6..8)?.try_into().ok()?);
        let body = rest.get(HEADER..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(match kind {
            DONE => Answer::End,
            ERROR => Answer::Outcome(outcome(body)),
            _ => Answer::Part {
                body,
                interrupted: flags & INTERRUPTED != 0,
            },
        })
    })
}

/// The messages of a datagram: the kind of each, and what follows its netlink header. Ends at the first that is cut.
pub(crate) fn messages(datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    messages_with_headers(datagram).map(|(kind, _, body)| (kind, body))
}

/// The same, with the netlink header of each.
pub(crate) fn messages_with_headers(datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8], &[u8])> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(rest.get(..4)?.try_into().ok()?) as usize;
        let kind = u16::from_ne_bytes(rest.get(4..6)?.try_into().ok()?);
        let body = rest.get(HEADER..length)?;
        let header = rest.get(..HEADER)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, header, body))
    })
}

/// The attributes in these bytes: the kind of each, and its value. Ends at the first that is cut.
pub(crate) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(rest.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?);
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & !NESTED, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let inner = Attributes::default().with_number(1, 7);
        let all = Attributes::default().with_text(3, "name").with_nested(4, &inner);
        let mut bytes = Vec::new();
        Message::new(10, 6).having(all).encode(1, &mut bytes);
        Message::new(4, 1).with(1, &[1]).encode(2, &mut bytes);
        let read: Vec<(u16, &[u8])> = messages(&bytes).collect();
        assert_eq!([read[0].0, read[1].0], [10 << 8 | 6, 4 << 8 | 1]);
        let found: Vec<(u16, &[u8])> = attributes(&read[0].1[4..]).collect();
        assert_eq!(found[0], (3, &b"name\0"[..]));
        assert_eq!(attributes(found[1].1).collect::<Vec<_>>(), [(1, &[0, 0, 0, 7][..])]);
        assert_eq!(attributes(&read[1].1[4..]).collect::<Vec<_>>(), [(1, &[1][..])]);
    }

    #[test]
    fn what_is_cut_or_lies_about_its_length_ends_the_list() {
        let mut bytes = Vec::new();
        Message::new(4, 1).with(1, &[1, 2, 3]).encode(1, &mut bytes);
        for length in 0..bytes.len() {
            assert_eq!(messages(&bytes[..length]).count(), 0, "{length}");
        }
        assert_eq!(messages(&[0; 64]).count(), 0, "a length of zero is no endless list");
        assert_eq!(attributes(&[0; 64]).count(), 0);
        assert_eq!(attributes(&[0xff; 64]).count(), 0);
    }

    #[test]
    fn a_refusal_is_the_kernels_error() {
        let mut bytes = Vec::new();
        for code in [0_i32, -1] {
            bytes.extend(36_u32.to_ne_bytes());
            bytes.extend(ERROR.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(code.to_ne_bytes());
            bytes.extend([0; 16]);
        }
        let outcomes = answer(&bytes);
        assert!(outcomes[0].1.is_ok() && outcomes.len() == 2);
        let refused = outcomes[1].1.as_ref().unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    }
}
