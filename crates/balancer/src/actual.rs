//! What one HAProxy has in force, as it says itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV6;

use crate::name::{BackendId, CertificateName, Kind, MapKey, ServerName};

/// What one HAProxy has in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Actual {
    /// The digest of the part of its configuration that cannot change while it runs; empty if that is not of ours.
    pub frame: String,
    /// How many backends of each kind it has.
    pub sizes: BTreeMap<Kind, u16>,
    /// Its servers, by backend.
    pub servers: BTreeMap<BackendId, BTreeMap<ServerName, ActualServer>>,
    /// Where plain HTTP leads, by key: the name of a backend.
    pub plain: BTreeMap<MapKey, String>,
    /// Where HTTP over TLS leads.
    pub encrypted: BTreeMap<MapKey, String>,
    /// The answers to challenges of ACME, by path.
    pub challenges: BTreeMap<String, String>,
    /// The certificates that it has, whether they are shown or not.
    pub certificates: BTreeSet<CertificateName>,
    /// The certificates that are shown: each with the names it is shown for, and the number of its line.
    pub shown: BTreeMap<CertificateName, BTreeMap<u32, BTreeSet<String>>>,
}

/// A server that HAProxy has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActualServer {
    /// Where it listens.
    pub address: SocketAddrV6,
    /// Whether connections may lead to it.
    pub admin: Admin,
    /// Whether HAProxy's own check finds it there. One that is not checked counts as there.
    pub is_up: bool,
    /// Whether HAProxy checks it.
    pub is_checked: bool,
    /// The requests and tunnels that it has now.
    pub sessions: u64,
}

/// Whether connections may lead to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admin {
    /// They may.
    Ready,
    /// New ones may not.
    Drain,
    /// None may.
    Maintenance,
}
