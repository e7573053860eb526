//! Values in a column of text: as they are where they are text, or else as hexadecimal digits.

use super::COLUMNS;
use crate::StoreError;

/// The word for text as it is.
const TEXT: &str = "text";
/// The word for hexadecimal digits.
const HEX: &str = "hex";

/// The coding of a value, and its text. PostgreSQL keeps no zero bytes in text.
pub(super) fn encode(value: &[u8]) -> (&'static str, String) {
    match str::from_utf8(value) {
        Ok(text) if !text.contains('\0') => (TEXT, text.to_owned()),
        _ => (HEX, value.iter().map(|byte| format!("{byte:02x}")).collect()),
    }
}

/// The value of a text.
pub(super) fn decode(coding: &str, text: String) -> Result<Vec<u8>, StoreError> {
    let bad = || COLUMNS.bad("coding", coding);
    match coding {
        TEXT => Ok(text.into_bytes()),
        HEX => {
            let (pairs, rest) = text.as_bytes().as_chunks::<2>();
            let byte = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
            let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
            bytes.filter(|_| rest.is_empty()).ok_or_else(bad)
        }
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back() {
        for value in [
            &b""[..],
            b"on",
            "gr\u{fc}n".as_bytes(),
            b"\0",
            b"a\0b",
            &[0xff, 0x00, 0x80],
            b"\xc3(",
        ] {
            let (coding, text) = encode(value);
            assert!(!text.contains('\0'));
            assert_eq!(decode(coding, text).unwrap(), value);
        }
    }

    #[test]
    fn what_nobody_wrote_is_not_read() {
        for (coding, text) in [("hex", "abc"), ("hex", "zz"), ("base64", "YQ==")] {
            assert!(decode(coding, text.to_owned()).is_err(), "{coding} {text}");
        }
    }
}
