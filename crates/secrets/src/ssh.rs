//! SSH host keys of instances, derived from one sealed secret.
//!
//! An instance that is made again has the host key that it had before: the key follows from the secret and from what the
//! instance fills, its owner and slot. So nothing has to be recorded for an instance, and nothing grows. A backup holds the
//! secret, sealed; without it, and without the key file, nobody can make these keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orchestrator_model::{SlotKey, Timestamp};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

use crate::{Room, Secret, SecretsError};

/// The name of the secret.
pub(crate) const HOST_KEYS: &str = "ssh/host-keys";
/// The kind of the keys, as OpenSSH names it.
const KIND: &[u8] = b"ssh-ed25519";
/// The size of a block of a key that is not encrypted; its text is padded to whole blocks.
const BLOCK: usize = 8;
/// The length of a line of the text.
const LINE: usize = 70;

/// Makes the SSH host keys of instances.
#[derive(Debug, Clone)]
pub struct HostKeys {
    secret: Secret,
}

/// An SSH host key.
#[derive(Debug, Clone)]
pub struct HostKey {
    /// The private key, in the format of OpenSSH, not encrypted.
    pub private: Secret,
    /// The public key: its kind and the key.
    pub public: String,
}

impl HostKeys {
    /// Reads the secret, and makes it the first time.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, the secret does not open, or the kernel gives no random bytes.
    pub async fn of(room: &Room, at: Timestamp) -> Result<Self, SecretsError> {
        if let Some(secret) = room.read(HOST_KEYS).await? {
            return Ok(Self { secret });
        }
        let mut random = vec![0; 32];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| SecretsError::Random)?;
        let secret = Secret::new(random);
        room.keep(HOST_KEYS, &secret, at).await?;
        Ok(Self { secret })
    }

    /// The host key of the instances in a slot.
    ///
    /// # Errors
    ///
    /// [`SecretsError::Random`] if no key can be made.
    pub fn of_slot(&self, slot: &SlotKey) -> Result<HostKey, SecretsError> {
        let place = format!("{}\0{}\0{}", slot.owner.kind(), slot.owner.name(), slot.slot);
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.expose());
        let seed = Zeroizing::new(hmac::sign(&key, place.as_bytes()).as_ref().to_vec());
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| SecretsError::Random)?;
        let public = pair.public_key().as_ref();
        Ok(HostKey {
            private: Secret::new(write_private(&seed, public)),
            public: format!("ssh-ed25519 {}", STANDARD.encode(write_public(public))),
        })
    }
}

/// A public key on the wire (RFC 8709, section 4).
fn write_public(public: &[u8]) -> Vec<u8> {
    let mut written = Vec::new();
    put(&mut written, KIND);
    put(&mut written, public);
    written
}

/// A private key as OpenSSH keeps it in a file (its PROTOCOL.key).
fn write_private(seed: &[u8], public: &[u8]) -> Vec<u8> {
    // Twice the same number, by which a decryption would be checked.
    let mut secret = Zeroizing::new(vec![0; 8]);
    put(&mut secret, KIND);
    put(&mut secret, public);
    put(&mut secret, &[seed, public].concat());
    put(&mut secret, b"");
    let missing = secret.len().next_multiple_of(BLOCK) - secret.len();
    secret.extend((1..).take(missing));
    let mut written = Zeroizing::new(b"openssh-key-v1\0".to_vec());
    put(&mut written, b"none");
    put(&mut written, b"none");
    put(&mut written, b"");
    written.extend(1_u32.to_be_bytes());
    put(&mut written, &write_public(public));
    put(&mut written, &secret);
    let coded = Zeroizing::new(STANDARD.encode(&*written));
    let mut text = b"-----BEGIN OPENSSH PRIVATE KEY-----\n".to_vec();
    for line in coded.as_bytes().chunks(LINE) {
        text.extend(line);
        text.push(b'\n');
    }
    text.extend(b"-----END OPENSSH PRIVATE KEY-----\n");
    text
}

/// Bytes with their length before them (RFC 4251, section 5). None of them is longer than a few hundred.
fn put(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    to.extend(bytes);
}

#[cfg(test)]
mod tests {
    use orchestrator_model::{Id, Owner, Slot};

    use super::*;

    fn slot(client: u8, name: &str) -> SlotKey {
        SlotKey {
            owner: Owner::Client(Id::from_bytes([client; 6])),
            slot: Slot::new(name),
        }
    }

    fn keys(byte: u8) -> HostKeys {
        HostKeys {
            secret: Secret::new(vec![byte; 32]),
        }
    }

    #[test]
    fn a_slot_has_one_key_and_no_other_slot_or_site_has_it() {
        let of = |site: u8, client, name| keys(site).of_slot(&slot(client, name)).unwrap().public;
        assert_eq!(of(1, 1, "web"), of(1, 1, "web"));
        for other in [of(1, 2, "web"), of(1, 1, "shell"), of(2, 1, "web")] {
            assert_ne!(of(1, 1, "web"), other);
        }
    }

    #[test]
    fn the_private_key_is_written_as_openssh_writes_it() {
        let key = keys(1).of_slot(&slot(1, "web")).unwrap();
        let text = key.private.expose_text().unwrap();
        let coded: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let bytes = STANDARD.decode(coded).unwrap();
        assert!(bytes.starts_with(b"openssh-key-v1\0\0\0\0\x04none\0\0\0\x04none\0\0\0\0\0\0\0\x01"));
        let public = STANDARD.decode(key.public.split(' ').nth(1).unwrap()).unwrap();
        assert!(bytes.windows(public.len()).any(|window| window == public));
        // The secret part is a whole number of blocks, padded with 1, 2, 3 and so on.
        let secret = &bytes[15 + 4 + 4 + 4 + 4 + 4 + 4 + 4 + public.len() + 4..];
        assert_eq!(secret.len() % BLOCK, 0);
        assert!(!format!("{key:?}").contains("BEGIN"));
    }
}
