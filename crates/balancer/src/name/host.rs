//! Names of hosts.

use std::fmt;
use std::str::FromStr;

use super::NameFault;

/// The most bytes of a name (RFC 1035, section 2.3.4, without the root's).
const LONGEST: usize = 253;
/// The most bytes of a label.
const LONGEST_LABEL: usize = 63;

/// The name of a host in small letters, or a wildcard for its first label: `web.example`, `*.example`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(String);

impl HostName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for every name with one label before the rest.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }
}

fn is_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !label.is_empty()
        && label.len() <= LONGEST_LABEL
        && label.bytes().all(plain)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl FromStr for HostName {
    type Err = NameFault;

    fn from_str(text: &str) -> Result<Self, NameFault> {
        let name = text.strip_prefix("*.").unwrap_or(text);
        match text.len() <= LONGEST && name.split('.').all(is_label) {
            true => Ok(Self(text.to_owned())),
            false => Err(NameFault::Host(text.to_owned())),
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
