//! What the caller of the server knows beyond the datagram.

use crate::{KeyHolder, LinkLayerSource, Place};

/// What the caller of the server knows beyond the datagram. The server asks only for what the answer depends on.
pub trait Knowledge {
    /// Whether a client has its reconfigure key. A client without it also gets it in the Reply to a Renew or Rebind.
    fn holds_key(&self, _holder: &KeyHolder<'_>) -> bool {
        true
    }

    /// The link-layer address that the frame of the message came from. It is asked for at most once for each message.
    fn link_layer_source(&self) -> LinkLayerSource {
        LinkLayerSource::NotObserved
    }
}

/// A caller that knows nothing more.
pub(super) struct Nothing;

impl Knowledge for Nothing {}

/// A caller that knows only which clients have their key.
impl<F: Fn(&KeyHolder<'_>) -> bool> Knowledge for F {
    fn holds_key(&self, holder: &KeyHolder<'_>) -> bool {
        self(holder)
    }
}

/// A message about a lease that the client holds from elsewhere. It was answered without granting that lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elsewhere {
    /// The lease was only offered. The caller asks this place whether its holder is still there, so that the client's
    /// Request can be answered.
    ToAsk(Place),
    /// The lease was refused, because its holder is at this place and answers.
    Held(Place),
}
