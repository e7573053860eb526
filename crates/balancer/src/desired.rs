//! What the balancer is to do, as a plain value.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV6;

use orchestrator_model::InstanceId;

use crate::Pools;
use crate::name::{BackendId, CertificateName, Challenge, HostName, MapKey, Pem, ServerName};

/// The desired configuration of every balancer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desired {
    /// The number of the snapshot of endpoints that it was made from.
    pub index: u64,
    /// Which backend belongs to which port of which service, and how many there are.
    pub pools: Pools,
    /// The instances of all services: connections to one of them are not closed.
    pub instances: BTreeSet<InstanceId>,
    /// The backends that have servers or are led to.
    pub backends: BTreeMap<BackendId, Backend>,
    /// Where plain HTTP leads.
    pub plain: BTreeMap<MapKey, Target>,
    /// Where HTTP over TLS leads.
    pub encrypted: BTreeMap<MapKey, Target>,
    /// The certificates.
    pub certificates: BTreeMap<CertificateName, Certificate>,
    /// Challenges of ACME that are answered.
    pub challenges: BTreeSet<Challenge>,
}

/// A backend: the servers of one port of one service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backend {
    /// Its servers.
    pub servers: BTreeMap<ServerName, Server>,
}

/// A server of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddrV6,
    /// Whether new connections may lead to it.
    pub state: Use,
}

/// Whether new connections may lead to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// They may.
    Serve,
    /// They may not. Those that exist go on. A server that HAProxy does not have is not added for this.
    Drain,
}

/// Where a route leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// To a backend.
    Backend(BackendId),
    /// To the same name and path over TLS.
    Redirect,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Backend(backend) => backend.fmt(f),
            Self::Redirect => f.write_str("redirect"),
        }
    }
}

/// A certificate with its key, and the names it is shown for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The chain and the key.
    pub pem: Pem,
    /// The names.
    pub hosts: BTreeSet<HostName>,
}
