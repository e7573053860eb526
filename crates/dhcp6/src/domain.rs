//! Domain names in options (RFC 9915, section 10; RFC 1035, section 3.1): labels, never compressed.

use std::fmt;
use std::str::FromStr;

/// An absolute domain name. Its text has no final dot.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DomainName(Box<[u8]>);

/// The text is not a domain name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a domain name: labels of 1 to 63 letters, digits, hyphens or underscores with dots between them, 253 bytes at most"
)]
pub struct DomainNameError(pub String);

impl DomainName {
    /// The labels, each after its length, and the root.
    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// The names in a list (RFC 9915, section 10). Ends at the first malformed one; skips names that cannot be written
    /// as text.
    pub(crate) fn read_all(mut wire: &[u8]) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || {
            let name = Self::first_of(wire)?;
            wire = wire.get(name.len()..)?;
            Some(Self(name.into()))
        })
        .filter(|name| name.to_string().parse().as_ref() == Ok(name))
    }

    /// The first of the names in a list; `None` if it is empty.
    pub(crate) fn first_of(names: &[u8]) -> Option<&[u8]> {
        let mut end = 0;
        loop {
            let length = usize::from(*names.get(end)?);
            end += 1 + length;
            if length == 0 {
                return names.get(..end);
            }
        }
    }
}

impl FromStr for DomainName {
    type Err = DomainNameError;

    fn from_str(text: &str) -> Result<Self, DomainNameError> {
        let fault = || DomainNameError(text.to_owned());
        let mut wire = Vec::with_capacity(text.len() + 2);
        for label in text.strip_suffix('.').unwrap_or(text).split('.') {
            let length = u8::try_from(label.len())
                .ok()
                .filter(|length| (1..=63).contains(length))
                .ok_or_else(fault)?;
            if !label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            {
                return Err(fault());
            }
            wire.push(length);
            wire.extend_from_slice(label.as_bytes());
        }
        wire.push(0);
        if wire.len() > 255 {
            Err(fault())
        } else {
            Ok(Self(wire.into()))
        }
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = &*self.0;
        let mut dot = "";
        while let Some((length, tail)) = rest.split_first().filter(|(length, _)| **length > 0) {
            let (label, tail) = tail.split_at_checked(usize::from(*length)).unwrap_or((tail, &[]));
            write!(f, "{dot}{}", String::from_utf8_lossy(label))?;
            (rest, dot) = (tail, ".");
        }
        Ok(())
    }
}

impl fmt::Debug for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_wire() {
        let name: DomainName = "lan.Example.org.".parse().unwrap();
        assert_eq!(name.as_wire(), b"\x03lan\x07Example\x03org\x00");
        assert_eq!(name.to_string(), "lan.Example.org");
        assert_eq!("lan".parse::<DomainName>().unwrap().as_wire(), b"\x03lan\x00");
    }

    #[test]
    fn lists_are_read() {
        let read = |wire: &[u8]| {
            let names = DomainName::read_all(wire);
            names.map(|name| name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(read(b"\x03lan\x00\x07example\x03org\x00"), ["lan", "example.org"]);
        assert_eq!(read(b"\x00\x03a b\x00\x03a.b\x00\x03lan\x00"), ["lan"]);
        for cut in [&b"\x03la"[..], b"\x03lan", b"\xc0\x00", b""] {
            assert!(read(cut).is_empty(), "{cut:?}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let (long_label, long_name) = ("a".repeat(64), "a.".repeat(128));
        for text in ["", ".", "a..b", ".a", "a b", "ä", &long_label, &long_name] {
            assert_eq!(text.parse::<DomainName>(), Err(DomainNameError(text.to_owned())));
        }
    }
}
