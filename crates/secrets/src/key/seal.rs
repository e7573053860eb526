//! Sealed text: `1.KEY-ID.HEX`, where the digits are the nonce, the ciphertext and its tag.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::{KeyId, Keys, SealingKey, fill};
use crate::{Secret, SecretsError, hex};

const VERSION: &str = "1";

/// The context of a sealed value. It opens only for the same purpose and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The kind of value, such as the table of its row.
    pub purpose: &'a str,
    /// The name of the value, such as the row's key.
    pub name: &'a str,
}

/// Why sealed text does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenFault {
    /// The text does not have the format of sealed text.
    #[error("it is not sealed text")]
    NotSealed,
    /// None of the keys at hand sealed it.
    #[error("it was sealed with the key {0}, which is not here")]
    NoKey(KeyId),
    /// The text was changed, or belongs elsewhere.
    #[error("it was changed, or moved from another row")]
    Changed,
}

impl Place<'_> {
    /// The associated data: unambiguous, as lengths come first.
    fn bytes(&self, key: KeyId) -> Vec<u8> {
        let mut bytes = b"orchestrator sealed text 1\0".to_vec();
        for part in [self.purpose, self.name, &key.to_string()] {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part.as_bytes());
        }
        bytes
    }
}

impl SealingKey {
    /// Seals a value for its place. The same value gives another text each time.
    ///
    /// # Errors
    ///
    /// [`SecretsError::Random`] when the random source fails, [`SecretsError::TooLong`].
    pub fn seal(&self, place: Place<'_>, value: &Secret) -> Result<String, SecretsError> {
        let mut nonce = [0; NONCE_LEN];
        fill(&mut nonce)?;
        let mut bytes = value.expose().to_vec();
        let aad = Aad::from(place.bytes(self.id()));
        self.cipher()
            .and_then(|cipher| cipher.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut bytes))
            .map_err(|_| SecretsError::TooLong)?;
        Ok(format!(
            "{VERSION}.{}.{}{}",
            self.id(),
            hex::encode(&nonce),
            hex::encode(&bytes)
        ))
    }

    fn cipher(&self) -> Result<LessSafeKey, ring::error::Unspecified> {
        UnboundKey::new(&CHACHA20_POLY1305, self.bytes()).map(LessSafeKey::new)
    }

    fn open(&self, place: Place<'_>, nonce: Nonce, mut bytes: Vec<u8>) -> Result<Secret, OpenFault> {
        let aad = Aad::from(place.bytes(self.id()));
        let cipher = self.cipher().map_err(|_| OpenFault::Changed)?;
        let opened = cipher
            .open_in_place(nonce, aad, &mut bytes)
            .map_err(|_| OpenFault::Changed)?;
        let length = opened.len();
        bytes.truncate(length);
        Ok(Secret::new(bytes))
    }
}

impl Keys {
    /// Opens sealed text with the key that sealed it.
    ///
    /// # Errors
    ///
    /// Why it does not open.
    pub fn open(&self, place: Place<'_>, sealed: &str) -> Result<Secret, OpenFault> {
        let id = key_id(sealed).ok_or(OpenFault::NotSealed)?;
        let key = self.find(id).ok_or(OpenFault::NoKey(id))?;
        let digits = sealed.rsplit('.').next().unwrap_or_default();
        let bytes = hex::decode(digits).ok_or(OpenFault::NotSealed)?;
        let (nonce, bytes) = bytes.split_at_checked(NONCE_LEN).ok_or(OpenFault::NotSealed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenFault::NotSealed)?;
        key.open(place, nonce, bytes.to_vec())
    }
}

/// The key that sealed a text; `None` for what is no sealed text.
pub(crate) fn key_id(sealed: &str) -> Option<KeyId> {
    let (version, rest) = sealed.split_once('.')?;
    let (id, digits) = rest.split_once('.')?;
    (version == VERSION && !digits.contains('.'))
        .then(|| id.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'_> = Place {
        purpose: "secrets",
        name: "token",
    };

    fn value() -> Secret {
        Secret::new(b"a secret \0 of bytes".to_vec())
    }

    #[test]
    fn a_value_comes_back_and_is_not_in_the_text() {
        let key = SealingKey::generate().unwrap();
        let sealed = key.seal(PLACE, &value()).unwrap();
        assert_eq!(key_id(&sealed), Some(key.id()));
        assert!(!sealed.contains(&hex::encode(value().expose())));
        assert_ne!(key.seal(PLACE, &value()).unwrap(), sealed, "nonces are random");
        assert_eq!(Keys::one(key).open(PLACE, &sealed), Ok(value()));
    }

    #[test]
    fn it_opens_in_its_own_place_with_its_own_key_only() {
        let [key, other] = [(); 2].map(|()| SealingKey::generate().unwrap());
        let sealed = key.seal(PLACE, &value()).unwrap();
        let keys = Keys::one(key.clone());
        for place in [
            Place { name: "tokem", ..PLACE },
            Place {
                purpose: "secret",
                ..PLACE
            },
            // The same letters, cut elsewhere.
            Place {
                purpose: "secretst",
                name: "oken",
            },
        ] {
            assert_eq!(keys.open(place, &sealed), Err(OpenFault::Changed), "{place:?}");
        }
        assert_eq!(
            Keys::one(other.clone()).open(PLACE, &sealed),
            Err(OpenFault::NoKey(key.id()))
        );
        let renamed = sealed.replace(&key.id().to_string(), &other.id().to_string());
        assert_eq!(Keys::both(other, key).open(PLACE, &renamed), Err(OpenFault::Changed));
    }

    #[test]
    fn no_changed_text_opens() {
        let key = SealingKey::generate().unwrap();
        let sealed = key.seal(PLACE, &value()).unwrap();
        let keys = Keys::one(key);
        for place in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[place] = if changed[place] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(keys.open(PLACE, &changed).is_err(), "byte {place}");
            assert!(keys.open(PLACE, &sealed[..place]).is_err(), "{place} bytes");
        }
    }
}
