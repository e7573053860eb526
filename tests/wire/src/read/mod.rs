//! A server's message, taken apart. Every reader panics at what is not well formed: in a test that is the failure.

mod ia_na;
mod ia_pd;
mod message;
mod options;

use std::net::Ipv6Addr;

pub use ia_na::{Address, Ia};
pub use ia_pd::{IaPd, Prefix};
pub use message::Message;
pub use options::{Options, status_code};

/// The number of the first four bytes.
///
/// # Panics
///
/// When there are fewer bytes.
pub fn number(bytes: &[u8]) -> u32 {
    Bytes(bytes).u32()
}

/// Takes numbers and addresses off the front of bytes. Panics where there are none left.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Bytes<'_> {
    pub(crate) fn take<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self.0.split_first_chunk().expect("the message is complete");
        self.0 = rest;
        *taken
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.take())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take())
    }

    pub(crate) fn ip(&mut self) -> Ipv6Addr {
        Ipv6Addr::from(self.take::<16>())
    }
}
