//! Ids: twelve hexadecimal digits, chosen at random.
//!
//! Short enough to be read aloud and to fit, whole, into the name of a network interface (15 bytes), so that
//! everything made for an instance can carry the instance's id.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Twelve lower-case hexadecimal digits (48 random bits).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id([u8; 6]);

/// The id of an instance. Everything that is made for the instance carries it.
pub type InstanceId = Id;

/// The id of one daemon's state, made once with its database. Things with another site's id belong to another daemon.
pub type SiteId = Id;

/// The text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an id: an id is twelve hexadecimal digits, like 3f9a2c01d2e4")]
pub struct IdError(pub String);

impl Id {
    /// A new id from the operating system's random source.
    ///
    /// # Errors
    ///
    /// When the random source fails.
    pub fn random() -> std::io::Result<Self> {
        let mut bytes = [0; 6];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        Ok(Self(bytes))
    }

    /// An id from given bytes, for tests and for ids derived from something else.
    pub const fn from_bytes(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }

    /// The six bytes behind the twelve digits.
    pub const fn bytes(&self) -> [u8; 6] {
        self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; 12];
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for (index, byte) in self.0.iter().enumerate() {
            text[index * 2] = DIGITS[usize::from(byte >> 4)];
            text[index * 2 + 1] = DIGITS[usize::from(byte & 15)];
        }
        f.pad(str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let fault = || IdError(text.to_owned());
        if text.len() != 12 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(fault());
        }
        let number = u64::from_str_radix(text, 16).map_err(|_| fault())?;
        let [_, _, bytes @ ..] = number.to_be_bytes();
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Id {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.to_string()
    }
}

impl Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// The mark of a site. Everything that its daemon makes carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The site.
    pub site: SiteId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let id = Id::from_bytes([0x3f, 0x9a, 0x2c, 0x01, 0xd2, 0xe4]);
        assert_eq!(id.to_string(), "3f9a2c01d2e4");
        assert_eq!("3f9a2c01d2e4".parse(), Ok(id));
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
        for text in [
            "",
            "3f9a2c01d2e",
            "3f9a2c01d2e45",
            "3F9A2C01D2E4",
            "+f9a2c01d2e4",
            "../../../etc",
        ] {
            assert_eq!(text.parse::<Id>(), Err(IdError(text.to_owned())));
        }
    }

    #[test]
    fn two_random_ids_differ() {
        assert_ne!(Id::random().unwrap(), Id::random().unwrap());
    }
}
