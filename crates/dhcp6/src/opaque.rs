//! Identifiers of relay agents, whose meaning only the relay agent knows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest identifier in bytes. Relay agents send no longer ones.
const LONGEST: usize = 255;

/// An identifier of 1 to 255 bytes whose meaning only its sender knows: a remote-id, an interface-id.
///
/// Written as text if it is printable, otherwise as hexadecimal digits after `0x`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OpaqueId(Box<[u8]>);

/// The text or the bytes are not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpaqueIdError {
    /// The text after `0x` does not have two hexadecimal digits for each byte.
    #[error("{0:?} does not have two hexadecimal digits for each byte")]
    NotHex(String),
    /// It is too long.
    #[error("has {0} bytes, and {LONGEST} are the most")]
    TooLong(usize),
    /// It is empty.
    #[error("is empty")]
    Empty,
}

impl OpaqueId {
    /// An identifier of these bytes.
    ///
    /// # Errors
    ///
    /// When there are none, or too many.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Result<Self, OpaqueIdError> {
        let bytes = bytes.into();
        match bytes.len() {
            0 => Err(OpaqueIdError::Empty),
            1..=LONGEST => Ok(Self(bytes)),
            length => Err(OpaqueIdError::TooLong(length)),
        }
    }

    /// The bytes as they are on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether the bytes can be written as text and read back.
    fn is_text(&self) -> bool {
        let is_shown = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
        self.0.iter().all(is_shown) && !self.0.starts_with(b"0x")
    }
}

impl fmt::Display for OpaqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_text() {
            return f.pad(&String::from_utf8_lossy(&self.0));
        }
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for OpaqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for OpaqueId {
    type Err = OpaqueIdError;

    fn from_str(text: &str) -> Result<Self, OpaqueIdError> {
        match text.strip_prefix("0x") {
            Some(digits) => Self::new(from_hex(digits).ok_or_else(|| OpaqueIdError::NotHex(text.to_owned()))?),
            None => Self::new(text.as_bytes()),
        }
    }
}

impl Serialize for OpaqueId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for OpaqueId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

fn from_hex(digits: &str) -> Option<Box<[u8]>> {
    let digit = |digit: u8| u8::try_from(char::from(digit).to_digit(16)?).ok();
    let pairs = digits.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_printable_is_written_as_it_is() {
        for (text, bytes) in [("port-7", &b"port-7"[..]), ("0x00ff", &[0, 255]), ("0x3078", b"0x")] {
            let id: OpaqueId = text.parse().unwrap();
            assert_eq!((id.as_bytes(), id.to_string().as_str()), (bytes, text));
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["0x0", "0xgg", "0x00 ff"] {
            assert_eq!(text.parse::<OpaqueId>(), Err(OpaqueIdError::NotHex(text.to_owned())));
        }
        assert_eq!("0x".parse::<OpaqueId>(), Err(OpaqueIdError::Empty));
        assert_eq!("".parse::<OpaqueId>(), Err(OpaqueIdError::Empty));
        assert_eq!("a".repeat(256).parse::<OpaqueId>(), Err(OpaqueIdError::TooLong(256)));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(bytes in prop::collection::vec(any::<u8>(), 1..20)) {
            let id = OpaqueId::new(bytes).unwrap();
            prop_assert_eq!(id.to_string().parse::<OpaqueId>(), Ok(id));
        }
    }
}
