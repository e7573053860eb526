//! User and vendor classes (RFC 9915, sections 21.15 and 21.16).

use crate::{USER_CLASS, VENDOR_CLASS, option};

/// Texts, each with two bytes before it that say how long it is.
///
/// # Panics
///
/// When one is longer than these bytes can say.
pub fn texts<T: AsRef<[u8]>>(texts: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in texts.iter().map(AsRef::as_ref) {
        let length = u16::try_from(text.len()).expect("a text has 65,535 bytes at most");
        bytes.extend(length.to_be_bytes());
        bytes.extend(text);
    }
    bytes
}

/// Reads texts. Ends where one reaches beyond what holds it.
pub fn read_texts(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut texts = Vec::new();
    while let [l0, l1, rest @ ..] = bytes {
        let Some((text, rest)) = rest.split_at_checked(usize::from(u16::from_be_bytes([*l0, *l1]))) else {
            break;
        };
        texts.push(text);
        bytes = rest;
    }
    texts
}

/// The classes that a client's user chose.
pub fn user_class(classes: &[&str]) -> Vec<u8> {
    option(USER_CLASS, &texts(classes))
}

/// The classes that a client's vendor chose; the vendor by its enterprise number.
pub fn vendor_class(enterprise: u32, classes: &[&str]) -> Vec<u8> {
    option(VENDOR_CLASS, &[&enterprise.to_be_bytes()[..], &texts(classes)].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_they_were_written() {
        let bytes = texts(&["x", "", "phone"]);
        assert_eq!(read_texts(&bytes), [&b"x"[..], b"", b"phone"]);
        assert_eq!(read_texts(&bytes[..bytes.len() - 1]), [&b"x"[..], b""]);
        assert_eq!(vendor_class(311, &["a"]), [0, 16, 0, 7, 0, 0, 1, 55, 0, 1, b'a']);
    }
}
