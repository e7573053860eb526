//! Sealing keys: 32 random bytes each, and the values that they seal.
//!
//! Values are sealed with ChaCha20-Poly1305 (RFC 8439) under random nonces. One key may seal 2³² values before the
//! chance that two share a nonce matters; this room seals a few a day.

mod file;
mod id;
mod keys;
mod seal;
mod text;

use std::fmt;

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::SecretsError;
pub(crate) use file::KeyFileLock;
pub use file::{KeyFile, KeyFileFault};
pub use id::KeyId;
pub use keys::Keys;
pub(crate) use seal::key_id;
pub use seal::{OpenFault, Place};

/// Bytes of a sealing key.
pub(crate) const KEY_BYTES: usize = 32;

/// A key that seals and opens. It is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SealingKey {
    id: KeyId,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

impl SealingKey {
    /// A new key from the operating system's random source.
    ///
    /// # Errors
    ///
    /// [`SecretsError::Random`] when the random source fails.
    pub fn generate() -> Result<Self, SecretsError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        fill(bytes.as_mut())?;
        Ok(Self::of(bytes))
    }

    pub(crate) fn of(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self {
            id: KeyId::of(&bytes),
            bytes,
        }
    }

    /// The key's name. It is not secret.
    pub fn id(&self) -> KeyId {
        self.id
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.id)
    }
}

/// Fills `bytes` with random ones.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), SecretsError> {
    SystemRandom::new().fill(bytes).map_err(|_| SecretsError::Random)
}
