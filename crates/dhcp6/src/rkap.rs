//! The reconfigure key authentication protocol (RFC 9915, section 20.4). A server sends a client a key in a Reply, and
//! signs Reconfigures with it. This has both sides.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use serde::{Deserialize, Serialize};

/// The value in the option is a key.
pub(crate) const KEY: u8 = 1;
/// The value in the option is a signature.
pub(crate) const DIGEST: u8 = 2;
/// Protocol, algorithm (HMAC-MD5) and method of replay detection (a rising number).
pub(crate) const HEAD: [u8; 3] = [3, 1, 0];

/// The number of bytes before the value: the head, the replay detection number, and the type of the value.
const FIXED: usize = 12;
/// The length of a key and of a signature, in bytes.
const VALUE: usize = 16;

/// A key of a server, and the highest replay detection number that was received with it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconfigureKey {
    key: [u8; VALUE],
    replay: u64,
}

/// The body of an authentication option of this protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Authentication {
    pub(crate) replay: u64,
    pub(crate) what: u8,
    pub(crate) value: [u8; VALUE],
}

impl Authentication {
    /// Parses a body; `None` if it is of another protocol.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let body = <&[u8; FIXED + VALUE]>::try_from(body).ok()?;
        let (head, rest) = body.split_first_chunk::<3>()?;
        let (replay, rest) = rest.split_first_chunk::<8>()?;
        let (what, value) = rest.split_first()?;
        (*head == HEAD).then_some(Self {
            replay: u64::from_be_bytes(*replay),
            what: *what,
            value: value.try_into().ok()?,
        })
    }
}

impl ReconfigureKey {
    /// The key in an option, if it contains one.
    pub(crate) fn given(authentication: &Authentication) -> Option<Self> {
        (authentication.what == KEY).then_some(Self {
            key: authentication.value,
            replay: authentication.replay,
        })
    }

    /// Whether the holder of the key signed this message, and the message is not a replay. An accepted message counts
    /// as a replay from then on.
    ///
    /// `at` is the offset of the body of its authentication option.
    pub(crate) fn admit(&mut self, message: &[u8], at: usize) -> bool {
        let body = at..at + FIXED + VALUE;
        let Some(authentication) = message.get(body.clone()).and_then(Authentication::read) else {
            return false;
        };
        // The signature is over the message with zeros in its place.
        let mut unsigned = message.to_vec();
        unsigned[body][FIXED..].fill(0);
        let is_fresh = authentication.what == DIGEST && authentication.replay > self.replay;
        let is_right = mac(&self.key, &unsigned).verify_slice(&authentication.value).is_ok();
        if is_fresh && is_right {
            self.replay = authentication.replay;
        }
        is_fresh && is_right
    }
}

/// The signature over a message.
pub(crate) fn sign(key: &[u8; VALUE], message: &[u8]) -> [u8; VALUE] {
    mac(key, message).finalize().into_bytes().into()
}

fn mac(key: &[u8; VALUE], message: &[u8]) -> Hmac<Md5> {
    // HMAC pads a key with zeros to its block (RFC 2104). Done here, no key can be refused.
    let mut block = [0; 64];
    block[..VALUE].copy_from_slice(key);
    let mut mac = Hmac::<Md5>::new(&block.into());
    mac.update(message);
    mac
}

/// The key is a secret.
impl fmt::Debug for ReconfigureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconfigureKey")
            .field("replay", &self.replay)
            .finish_non_exhaustive()
    }
}
