//! The way back to a client behind relays, for what it is sent unasked.

use crate::discard::Discard;
use crate::relay::Way;

/// The relays that a client's message came through, kept in as many bytes as they will be put around a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayBack(Box<[u8]>);

impl WayBack {
    /// Keeps the way of a message. A client that needs no relay has none.
    ///
    /// # Errors
    ///
    /// When it does not fit into a datagram.
    pub(crate) fn of(way: &Way<'_>) -> Result<Option<Self>, Discard> {
        if !way.is_relayed() {
            return Ok(None);
        }
        Ok(Some(Self(way.alone()?.into())))
    }

    /// Bytes that are kept.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// A Relay-reply for each relay around a message to the client (RFC 9915, sections 18.3.11 and 19.3).
    ///
    /// # Errors
    ///
    /// When it does not fit into a datagram.
    pub fn wrap(&self, message: Vec<u8>) -> Result<Vec<u8>, Discard> {
        Way::peel(&self.0)?.wrap(message)
    }
}
