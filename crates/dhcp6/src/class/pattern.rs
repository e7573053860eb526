//! Patterns for bytes: a value, or the beginning of a value.

use std::str::FromStr;

use crate::opaque::{OpaqueId, OpaqueIdError};

/// A pattern for bytes: a value, or the beginning of a value.
///
/// Written like an [`OpaqueId`]; an asterisk at the end matches any continuation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    bytes: OpaqueId,
    is_beginning: bool,
}

impl Pattern {
    /// Whether the bytes equal the pattern, or begin with it if the pattern is a beginning.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        if self.is_beginning {
            bytes.starts_with(self.bytes.as_bytes())
        } else {
            bytes == self.bytes.as_bytes()
        }
    }
}

impl FromStr for Pattern {
    type Err = OpaqueIdError;

    fn from_str(text: &str) -> Result<Self, OpaqueIdError> {
        let (bytes, is_beginning) = match text.strip_suffix('*') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let bytes = bytes.parse()?;
        Ok(Self { bytes, is_beginning })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, bytes: &[u8]) -> bool {
        pattern.parse::<Pattern>().unwrap().matches(bytes)
    }

    #[test]
    fn text_is_compared_as_a_whole_or_from_its_beginning() {
        assert!(matches("iPXE", b"iPXE") && !matches("iPXE", b"iPXE2") && !matches("iPXE", b"ipxe"));
        assert!(matches("iP*", b"iPXE") && matches("iP*", b"iP") && !matches("iP*", b"i"));
        assert!(matches("a*b", b"a*b"));
    }

    #[test]
    fn bytes_are_written_in_hexadecimal_digits() {
        assert!(matches("0x00fF", &[0, 255]) && !matches("0x00ff", &[0, 255, 1]));
        assert!(matches("0x00ff*", &[0, 255, 1]));
    }

    #[test]
    fn something_is_compared() {
        for empty in ["", "*", "0x", "0x*"] {
            assert_eq!(empty.parse::<Pattern>(), Err(OpaqueIdError::Empty), "{empty}");
        }
    }
}
