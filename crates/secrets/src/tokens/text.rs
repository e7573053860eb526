//! The text of a token: what it is, which one it is, and its secret part.

use orchestrator_model::Id;
use ring::rand::{SecureRandom, SystemRandom};

use crate::{Secret, SecretsError, hex};

/// The random bytes of the secret part.
const BYTES: usize = 32;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is sent with requests.
    Sent,
    /// It signs requests.
    Signs,
    /// It is that of an instance.
    OfInstance,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Sent, Self::Signs, Self::OfInstance];

    const fn word(self) -> &'static str {
        match self {
            Self::Sent => "orct",
            Self::Signs => "orcs",
            Self::OfInstance => "orci",
        }
    }
}

/// A token that was read. Whether it is one that was made here is to be verified.
pub(super) struct Text<'a> {
    pub(super) kind: Kind,
    pub(super) id: Id,
    pub(super) secret: &'a str,
}

impl<'a> Text<'a> {
    /// Reads a token.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(3, '_');
        let (kind, id, secret) = (parts.next()?, parts.next()?, parts.next()?);
        let kind = Kind::ALL.into_iter().find(|known| known.word() == kind)?;
        let is_secret = secret.len() == 2 * BYTES && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(Self {
            kind,
            id: id.parse().ok()?,
            secret,
        })
        .filter(|_| is_secret)
    }
}

/// The text of a token.
pub(super) fn write(kind: Kind, id: Id, secret: &[u8]) -> Secret {
    Secret::from(format!("{}_{id}_{}", kind.word(), hex::encode(secret)))
}

/// A new secret part.
pub(super) fn random() -> Result<[u8; BYTES], SecretsError> {
    let mut bytes = [0; BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| SecretsError::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written_and_nothing_else_is() {
        let id = Id::from_bytes([0x3f, 0x9a, 0x2c, 1, 0xd2, 0xe4]);
        let token = write(Kind::Sent, id, &[0xab; BYTES]);
        let text = token.expose_text().unwrap();
        assert!(text.starts_with("orct_3f9a2c01d2e4_abab"), "{text}");
        let read = Text::read(text).unwrap();
        assert_eq!((read.kind, read.id, read.secret), (Kind::Sent, id, &text[18..]));
        let longer = format!("{text}a");
        for wrong in [
            "",
            "orct",
            "orct_3f9a2c01d2e4",
            "orct_3f9a2c01d2e4_ab",
            &text[1..],
            &text[..81],
            &longer,
        ] {
            assert!(Text::read(wrong).is_none(), "{wrong:?}");
        }
    }
}
