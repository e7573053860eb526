//! The name of a sealing key.

use std::fmt;
use std::str::FromStr;

use ring::digest::{Context, SHA256};

use super::KEY_BYTES;
use crate::hex;

const LENGTH: usize = 8;

/// The id of a sealing key: sixteen hexadecimal digits of a digest of its bytes. It distinguishes keys, and detects a
/// damaged one. It is not secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; LENGTH]);

impl KeyId {
    pub(super) fn of(key: &[u8; KEY_BYTES]) -> Self {
        let mut digest = Context::new(&SHA256);
        digest.update(b"orchestrator sealing key id\0");
        digest.update(key);
        let mut id = [0; LENGTH];
        id.copy_from_slice(&digest.finish().as_ref()[..LENGTH]);
        Self(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not the id of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the id of a key, which is sixteen hexadecimal digits")]
pub struct KeyIdError(String);

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        let bytes = hex::decode(text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| KeyIdError(text.to_owned()))
    }
}
