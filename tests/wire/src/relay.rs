//! A relay's layer around a message (RFC 9915, section 9).

use std::net::Ipv6Addr;

use crate::read::Bytes;
use crate::{Options, RELAY_FORW, RELAY_MESSAGE, option};

/// Length of what comes before a layer's options: type, hop count, link address, peer address.
pub const RELAY_HEAD: usize = 34;

/// The layer of a relay on the way to the server: its options, then the message inside.
pub fn relay_forw(hops: u8, link: Ipv6Addr, peer: Ipv6Addr, options: &[Vec<u8>], inner: &[u8]) -> Vec<u8> {
    relay_layer(hops, link, peer, &[options, &[option(RELAY_MESSAGE, inner)]].concat())
}

/// The same with these options alone: with the message inside among them, or without one.
pub fn relay_layer(hops: u8, link: Ipv6Addr, peer: Ipv6Addr, options: &[Vec<u8>]) -> Vec<u8> {
    [
        &[RELAY_FORW, hops][..],
        &link.octets(),
        &peer.octets(),
        &options.concat(),
    ]
    .concat()
}

/// A relay's layer that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relayed {
    /// Message type.
    pub kind: u8,
    /// Hop count.
    pub hops: u8,
    /// Link address.
    pub link: Ipv6Addr,
    /// Peer address.
    pub peer: Ipv6Addr,
    /// All options but the message inside.
    pub options: Options,
    /// The message inside.
    pub inner: Vec<u8>,
}

impl Relayed {
    /// Reads a layer.
    ///
    /// # Panics
    ///
    /// When it is not well formed, or has no message inside.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut bytes = Bytes(bytes);
        let [kind, hops] = bytes.take();
        let (link, peer) = (bytes.ip(), bytes.ip());
        let mut options = Options::parse(bytes.0);
        let inner = options
            .remove(RELAY_MESSAGE)
            .expect("a relay's layer has a message inside");
        Self {
            kind,
            hops,
            link,
            peer,
            options,
            inner,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::INTERFACE_ID;

    #[test]
    fn a_layer_is_read_as_it_was_written() {
        let (link, peer) = (Ipv6Addr::LOCALHOST, Ipv6Addr::UNSPECIFIED);
        let bytes = relay_forw(3, link, peer, &[option(INTERFACE_ID, b"port 7")], b"inside");
        let read = Relayed::parse(&bytes);
        assert_eq!(
            (read.kind, read.hops, read.link, read.peer),
            (RELAY_FORW, 3, link, peer)
        );
        assert_eq!(
            (read.options.codes(), read.inner),
            (vec![INTERFACE_ID], b"inside".to_vec())
        );
        assert_eq!(bytes.len(), RELAY_HEAD + 10 + 10);
    }
}
