//! The peer of a connection.

use std::fmt;
use std::net::IpAddr;

use super::role::Role;

/// The peer whose share a connection counts towards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// A process, on a unix socket.
    Process {
        /// Its effective user when it connected.
        uid: u32,
        /// Its number in the daemon's namespace; 0 where it has none there.
        pid: i32,
    },
    /// A host, on TCP.
    Host(IpAddr),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process { uid, pid } => write!(f, "process {pid} of user {uid}"),
            Self::Host(address) => write!(f, "{address}"),
        }
    }
}

/// The requests that a connection may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Those of this role.
    Full(Role),
    /// Health and readiness, by callers of this role: all other places are taken.
    ProbesOnly(Role),
    /// Nothing: the user of this number may not use the API.
    Stranger {
        /// The user.
        uid: u32,
    },
}

impl Standing {
    /// The role of the peer.
    pub(super) fn role(self) -> Option<Role> {
        match self {
            Self::Full(role) | Self::ProbesOnly(role) => Some(role),
            Self::Stranger { .. } => None,
        }
    }
}
