//! The way back to a client behind relay agents, for messages that the client did not ask for.

use crate::discard::Discard;
use crate::relay::Way;

/// The relay headers of a client's message, stored as they will be put around a message back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayBack(Box<[u8]>);

impl WayBack {
    /// Stores the way of a message; `None` for a client without relay agents.
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

    /// The number of stored bytes.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// Puts a Relay-reply for each relay agent around the message to the client (RFC 9915, sections 18.3.11 and 19.3).
    ///
    /// # Errors
    ///
    /// When it does not fit into a datagram.
    pub fn wrap(&self, message: Vec<u8>) -> Result<Vec<u8>, Discard> {
        Way::peel(&self.0)?.wrap(message)
    }
}
