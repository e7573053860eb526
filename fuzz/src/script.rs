//! Inputs that are scripts: bytes that say what is to be done, so that almost any bytes do something.
//!
//! Raw bytes seldom pass the walk over a datagram: one length that is wrong ends it. A script names messages, clients
//! and options by a byte each, and the message is made from it with its lengths right.

/// Reads a script. What is missing at its end is not there: a script is over when it is.
#[derive(Debug, Clone)]
pub(crate) struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    /// Begins.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next byte.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// The next byte as a choice among so many.
    pub(crate) fn choice(&mut self, among: usize) -> Option<usize> {
        Some(usize::from(self.byte()?) % among)
    }

    /// So many bytes, or as many as there are.
    pub(crate) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Bytes with a byte before them that says how many.
    pub(crate) fn short(&mut self) -> Option<&'a [u8]> {
        let count = self.byte()?;
        Some(self.bytes(count.into()))
    }

    /// Bytes with two bytes before them that say how many.
    pub(crate) fn long(&mut self) -> Option<&'a [u8]> {
        let count = u16::from_be_bytes([self.byte()?, self.byte()?]);
        Some(self.bytes(count.into()))
    }

    /// All that is left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }
}
