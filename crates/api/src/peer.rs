//! The peer of a connection.

use std::fmt;
use std::net::IpAddr;

use super::role::Role;

/// The peer of a connection. Each peer has its share of the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// A process, on a unix socket.
    Process {
        /// Its effective user when it connected.
        uid: u32,
        /// Its process id in the daemon's namespace; 0 if it has none there.
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

/// What is known of a peer when its connection is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It has this role.
    As(Role),
    /// Each of its requests has to have a token.
    ByToken,
    /// It may not use the API.
    Stranger,
}

/// The requests that a connection may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Everything that this role may.
    Full(Role),
    /// What the token grants that comes with each request.
    ByToken,
    /// Only health and readiness, for a caller of this role, because all other places are taken.
    ProbesOnly(Role),
    /// Nothing, because this user may not use the API.
    Stranger {
        /// The user's number.
        uid: u32,
    },
}

impl Standing {
    /// The role of the peer.
    pub(super) fn role(self) -> Option<Role> {
        match self {
            Self::Full(role) | Self::ProbesOnly(role) => Some(role),
            Self::ByToken | Self::Stranger { .. } => None,
        }
    }
}
