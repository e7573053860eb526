//! Bytes that something is to be, or to begin with.

use std::str::FromStr;

/// Longest pattern in bytes; what strangers send is compared with no more.
const LONGEST: usize = 255;

/// Bytes that something is to be, or to begin with.
///
/// Written as text, or as hexadecimal digits after `0x`; an asterisk at the end lets anything follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    bytes: Box<[u8]>,
    is_beginning: bool,
}

/// The text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The hexadecimal digits are none, or not two for each byte.
    #[error("{0:?} has not two hexadecimal digits for each byte")]
    NotHex(String),
    /// Too long.
    #[error("has {0} bytes, and {LONGEST} are the most")]
    TooLong(usize),
    /// Nothing is compared.
    #[error("is empty")]
    Empty,
}

impl Pattern {
    /// Just these bytes.
    ///
    /// # Errors
    ///
    /// When they are none, or too many.
    pub fn exactly(bytes: impl Into<Box<[u8]>>) -> Result<Self, PatternError> {
        Self::new(bytes.into(), false)
    }

    fn new(bytes: Box<[u8]>, is_beginning: bool) -> Result<Self, PatternError> {
        match bytes.len() {
            0 => Err(PatternError::Empty),
            1..=LONGEST => Ok(Self { bytes, is_beginning }),
            length => Err(PatternError::TooLong(length)),
        }
    }

    /// Whether it is, or begins, this.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        if self.is_beginning {
            bytes.starts_with(&self.bytes)
        } else {
            *bytes == *self.bytes
        }
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let (rest, is_beginning) = match text.strip_suffix('*') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let bytes = match rest.strip_prefix("0x") {
            Some(digits) => from_hex(digits).ok_or_else(|| PatternError::NotHex(text.to_owned()))?,
            None => rest.as_bytes().into(),
        };
        Self::new(bytes, is_beginning)
    }
}

fn from_hex(digits: &str) -> Option<Box<[u8]>> {
    let digit = |digit: u8| u8::try_from(char::from(digit).to_digit(16)?).ok();
    let digits = digits.as_bytes();
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect()
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
        for wrong in ["0x0", "0xgg", "0x0*", "0x00 ff", "0xä"] {
            assert_eq!(wrong.parse::<Pattern>(), Err(PatternError::NotHex(wrong.to_owned())));
        }
    }

    #[test]
    fn something_is_compared() {
        for empty in ["", "*", "0x", "0x*"] {
            assert_eq!(empty.parse::<Pattern>(), Err(PatternError::Empty), "{empty}");
        }
        assert_eq!("a".repeat(256).parse::<Pattern>(), Err(PatternError::TooLong(256)));
    }
}
