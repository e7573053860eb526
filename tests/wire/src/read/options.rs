//! Options side by side.

use super::Bytes;
use crate::{STATUS, walk};

/// Options in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options(Vec<(u16, Vec<u8>)>);

impl Options {
    /// Reads options.
    ///
    /// # Panics
    ///
    /// When one of them ends behind the bytes.
    pub fn parse(bytes: &[u8]) -> Self {
        let read = walk(bytes).map(|option| {
            let (code, body) = option.expect("an option ends inside its parent");
            (code, body.to_vec())
        });
        Self(read.collect())
    }

    /// Codes and bodies.
    pub fn iter(&self) -> std::slice::Iter<'_, (u16, Vec<u8>)> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The codes.
    pub fn codes(&self) -> Vec<u16> {
        self.0.iter().map(|(code, _)| *code).collect()
    }

    /// The bodies of all options of a code.
    pub fn all(&self, code: u16) -> impl Iterator<Item = &[u8]> {
        self.0
            .iter()
            .filter(move |option| option.0 == code)
            .map(|option| &option.1[..])
    }

    /// The body of an option that comes once at most.
    ///
    /// # Panics
    ///
    /// When it comes twice.
    pub fn get(&self, code: u16) -> Option<&[u8]> {
        let mut all = self.all(code);
        let first = all.next();
        assert!(all.next().is_none(), "option {code} comes twice in {self:?}");
        first
    }

    /// Takes an option out that comes once at most.
    ///
    /// # Panics
    ///
    /// When it comes twice.
    pub fn remove(&mut self, code: u16) -> Option<Vec<u8>> {
        let body = self.get(code)?.to_vec();
        self.0.retain(|option| option.0 != code);
        Some(body)
    }

    /// The status code.
    ///
    /// # Panics
    ///
    /// When it comes twice, or its text is none.
    pub fn status(&self) -> Option<u16> {
        self.get(STATUS).map(status_code)
    }
}

impl IntoIterator for Options {
    type Item = (u16, Vec<u8>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// The code in the body of a status option.
///
/// # Panics
///
/// When its text is not UTF-8 or has a NUL (RFC 9915, section 21.13).
pub fn status_code(body: &[u8]) -> u16 {
    let mut body = Bytes(body);
    let code = body.u16();
    let text = std::str::from_utf8(body.0).expect("the text of a status is UTF-8");
    assert!(!text.contains('\0'), "{text:?} has a NUL");
    code
}
