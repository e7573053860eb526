//! One label of a name, as a host may have it.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// One label of a name: 1 to 63 letters, digits and hyphens, with no hyphen at either end (RFC 1123, section 2.1). Capital
/// letters are written small.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(Box<str>);

/// The text is no label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 63 letters, digits and hyphens, and no hyphen at either end")]
pub struct NotALabel;

/// The most bytes of a label (RFC 1035, section 2.3.4).
const LONGEST: usize = 63;

impl Label {
    /// The label in small letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first label of a host name that a client claims, if that is one. What a stranger sends is no reason to fail: a
    /// client without a usable name has no name.
    pub fn of_host(claimed: &str) -> Option<Self> {
        claimed.split('.').next()?.parse().ok()
    }
}

impl FromStr for Label {
    type Err = NotALabel;

    fn from_str(text: &str) -> Result<Self, NotALabel> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let has_ends = !text.starts_with('-') && !text.ends_with('-');
        match is_plain && has_ends && (1..=LONGEST).contains(&text.len()) {
            true => Ok(Self(text.to_ascii_lowercase().into())),
            false => Err(NotALabel),
        }
    }
}

/// The text of a label has the same order and the same hash.
impl Borrow<str> for Label {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_hosts_are_labels_in_small_letters() {
        for (text, label) in [
            ("web", "web"),
            ("Web-1", "web-1"),
            ("0", "0"),
            ("xn--bcher-kva", "xn--bcher-kva"),
        ] {
            assert_eq!(text.parse::<Label>().unwrap().as_str(), label);
        }
        assert_eq!("a".repeat(63).parse::<Label>().unwrap().as_str().len(), 63);
    }

    #[test]
    fn anything_else_is_none() {
        let long = "a".repeat(64);
        for text in ["", "-a", "a-", "a.b", "a b", "bücher", "a_b", "*", "\0", long.as_str()] {
            assert_eq!(text.parse::<Label>(), Err(NotALabel), "{text:?}");
        }
    }

    #[test]
    fn a_client_has_the_first_label_of_what_it_claims() {
        assert_eq!(Label::of_host("Laptop.example.org").unwrap().as_str(), "laptop");
        assert_eq!(Label::of_host(""), None);
        assert_eq!(Label::of_host(".laptop"), None);
        assert_eq!(Label::of_host("my laptop"), None);
    }
}
