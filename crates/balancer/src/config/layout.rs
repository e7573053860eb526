//! Where HAProxy listens, and where its files are.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::Duration;

/// Where HAProxy listens, where its files are, and its limits. All of it is of the operator's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    directory: String,
    /// Where it listens.
    pub addresses: Addresses,
    /// The page of statistics, if there is one.
    pub statistics: Option<Statistics>,
    /// The most connections of clients at once.
    pub connections: u32,
    /// How long connections may go on in a worker that was replaced by a reload.
    pub drain: Duration,
}

/// Where HAProxy listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// For plain HTTP.
    pub plain: SocketAddrV6,
    /// For HTTP over TLS.
    pub encrypted: SocketAddrV6,
}

/// The page of statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistics {
    /// Where it is served.
    pub address: SocketAddrV6,
    /// The prefixes from which it may be read: an address and the length of the prefix.
    pub from: Vec<(Ipv6Addr, u8)>,
}

/// The directory cannot be written into a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no directory for HAProxy's files: write an absolute path of letters, digits and - . _ /")]
pub struct LayoutFault(pub String);

impl Layout {
    /// The addresses and ports that HAProxy has in an image of its own, with its files in a directory: an absolute path,
    /// as HAProxy sees it.
    ///
    /// # Errors
    ///
    /// When the path is not absolute, or has characters that mean something in a configuration.
    pub fn new(directory: &str) -> Result<Self, LayoutFault> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte);
        if !directory.starts_with('/') || !directory.bytes().all(plain) {
            return Err(LayoutFault(directory.to_owned()));
        }
        let any = |port| SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0);
        Ok(Self {
            directory: directory.trim_end_matches('/').to_owned(),
            addresses: Addresses {
                plain: any(80),
                encrypted: any(443),
            },
            statistics: None,
            connections: 4_000,
            drain: Duration::from_secs(60),
        })
    }

    /// The directory, without a slash at its end.
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// The path of a file in the directory.
    pub fn path(&self, file: &str) -> String {
        format!("{}/{file}", self.directory)
    }
}
