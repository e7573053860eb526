//! Keys and values that services and operators keep in the daemon.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use super::{ClientId, InstanceId, Timestamp};

/// The longest name of a namespace, in bytes.
const LONGEST_NAMESPACE: usize = 64;
/// The longest key, in bytes, without its namespace.
const LONGEST_KEY: usize = 512;

/// The path of a key: its namespace, and the key within it. Both are text, divided by `/`.
///
/// The namespace of a service is its name. That of a client is `client:` and its id, which no service can be named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KvPath {
    /// 1 to 64 of a-z, 0-9, "-", "_", "." and ":", and not ".." or ".".
    pub namespace: String,
    /// Segments between single slashes, at most 512 bytes; empty for the whole namespace.
    pub key: String,
}

/// The text is not the path of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not the path of a key: write NAMESPACE/KEY. A namespace has 1 to 64 of a-z, 0-9, \"-\", \"_\", \".\" and \
     \":\"; a key has at most 512 bytes in segments between single slashes, none of them \".\" or \"..\", and no control \
     characters"
)]
pub struct KvPathError(String);

impl KvPath {
    /// The beginning of the namespaces of clients, before the client's id.
    pub const CLIENTS: &'static str = "client:";

    /// The namespace of a client.
    pub fn namespace_of_client(client: ClientId) -> String {
        format!("{}{client}", Self::CLIENTS)
    }

    /// Whether the path names one key, and not a whole namespace.
    pub fn names_a_key(&self) -> bool {
        !self.key.is_empty()
    }

    /// Whether this path is `below`, or is above it by whole segments.
    pub fn covers(&self, below: &Self) -> bool {
        let rest = below.key.strip_prefix(&self.key);
        let by_segments = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.namespace == below.namespace && (self.key.is_empty() || by_segments)
    }
}

impl FromStr for KvPath {
    type Err = KvPathError;

    fn from_str(text: &str) -> Result<Self, KvPathError> {
        let (namespace, key) = text.split_once('/').unwrap_or((text, ""));
        let key = key.strip_suffix('/').unwrap_or(key);
        let is_letter = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b':');
        let is_segment = |segment: &str| !matches!(segment, "" | "." | "..");
        let is_namespace = namespace.len() <= LONGEST_NAMESPACE && namespace.bytes().all(is_letter);
        let is_key = key.is_empty() || key.split('/').all(is_segment);
        if is_namespace
            && is_segment(namespace)
            && is_key
            && key.len() <= LONGEST_KEY
            && !key.chars().any(char::is_control)
        {
            return Ok(Self {
                namespace: namespace.to_owned(),
                key: key.to_owned(),
            });
        }
        Err(KvPathError(text.to_owned()))
    }
}

impl fmt::Display for KvPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => f.pad(&self.namespace),
            key => f.pad(&format!("{}/{key}", self.namespace)),
        }
    }
}

/// The life that a key is bound to: it is removed when that ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KvOwner {
    /// An instance.
    Instance(InstanceId),
    /// A lease.
    Lease {
        /// The link of the lease.
        link: String,
        /// Its address.
        address: Ipv6Addr,
    },
}

/// A key with its value, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvEntry {
    /// Its path.
    pub path: KvPath,
    /// Its value; `None` where only keys were asked for.
    pub value: Option<Vec<u8>>,
    /// The size of the value in bytes.
    pub size: u64,
    /// The number of the event by which it got this value. It rises with every change of any key.
    pub version: i64,
    /// When it was made.
    pub created: Timestamp,
    /// When its value was last set.
    pub changed: Timestamp,
    /// The life that it is bound to.
    pub owner: Option<KvOwner>,
}

/// A change of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvChange {
    /// The number of its event.
    pub version: i64,
    /// The path of the key.
    pub path: KvPath,
    /// Whether the key was removed.
    pub removed: bool,
    /// When it happened.
    pub at: Timestamp,
}

/// A namespace, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvNamespace {
    /// Its name.
    pub name: String,
    /// The number of its keys.
    pub keys: u64,
    /// The sizes of its values together, in bytes.
    pub bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_a_namespace_and_a_key() {
        for (text, namespace, key) in [
            ("web", "web", ""),
            ("web/", "web", ""),
            ("web/a/b", "web", "a/b"),
            ("web/a/", "web", "a"),
            (
                "client:3f9a2c01d2e4/gr\u{fc}n %_",
                "client:3f9a2c01d2e4",
                "gr\u{fc}n %_",
            ),
        ] {
            let path: KvPath = text.parse().unwrap();
            assert_eq!((path.namespace.as_str(), path.key.as_str()), (namespace, key));
            assert_eq!(path.to_string().parse::<KvPath>(), Ok(path));
        }
    }

    #[test]
    fn what_leads_elsewhere_or_has_no_bounds_is_no_path() {
        let long = format!("web/{}", "a".repeat(513));
        let wide = "a".repeat(65);
        for text in [
            "", "/", "/a", "web//a", "web/a//", "web/../b", "web/./b", "..", "../a", "Web/a", "we b/a", "web/a\nb",
            "web/a\0", &long, &wide,
        ] {
            assert!(text.parse::<KvPath>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_path_covers_what_is_below_it_by_whole_segments() {
        let path = |text: &str| text.parse::<KvPath>().unwrap();
        assert!(path("web").covers(&path("web/a")) && path("web/a").covers(&path("web/a")));
        assert!(path("web/a").covers(&path("web/a/b")));
        for (above, below) in [
            ("web/a", "web/ab"),
            ("web/a/b", "web/a"),
            ("web", "other/a"),
            ("we", "web/a"),
        ] {
            assert!(!path(above).covers(&path(below)), "{above} {below}");
        }
    }
}
