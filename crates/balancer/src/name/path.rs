//! Paths of routes, and the keys by which HAProxy finds a route.

use std::fmt;
use std::str::FromStr;

use super::{HostName, NameFault};

/// The most bytes of a path.
const LONGEST: usize = 512;

/// How a path begins, part by part: `/api/` holds `/api` and `/api/x`, and not `/apix`. It ends with a slash.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathPrefix(String);

impl FromStr for PathPrefix {
    type Err = NameFault;

    fn from_str(text: &str) -> Result<Self, NameFault> {
        let fault = || NameFault::Path(text.to_owned());
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        if !text.starts_with('/') || text.len() > LONGEST || !text.bytes().all(plain) {
            return Err(fault());
        }
        let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
        if parts.iter().any(|part| matches!(*part, "." | "..")) {
            return Err(fault());
        }
        let mut path: String = parts.iter().flat_map(|part| ["/", part]).collect();
        path.push('/');
        Ok(Self(path))
    }
}

/// A host name with how the path begins: `web.example/api/`. It is the key of a route in a map of HAProxy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MapKey(String);

impl MapKey {
    /// The key of a route.
    pub fn new(host: &HostName, path: &PathPrefix) -> Self {
        Self(format!("{host}{}", path.0))
    }

    /// A key that HAProxy has, in its own words. It is only compared, and never written.
    pub(crate) fn as_reported(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for MapKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
