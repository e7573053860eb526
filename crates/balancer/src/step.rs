//! Commands of HAProxy's runtime API (management guide of 2.6, section 9.3).

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddrV6;

use crate::desired::Certificate;
use crate::name::{BackendId, CertificateName, ServerName};

/// A map of HAProxy, that is a file beside the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MapName {
    /// Routes of plain HTTP.
    Plain,
    /// Routes of HTTP over TLS.
    Encrypted,
    /// Answers to challenges of ACME.
    Challenges,
}

impl MapName {
    /// All maps.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Encrypted, Self::Challenges];

    /// Its file in the directory of the configuration.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Plain => "plain.map",
            Self::Encrypted => "encrypted.map",
            Self::Challenges => "challenges.map",
        }
    }
}

/// One change of a HAProxy that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Adds a server, out of use.
    Add {
        /// Its backend.
        backend: BackendId,
        /// Its name.
        server: ServerName,
        /// Where it listens.
        address: SocketAddrV6,
    },
    /// Has HAProxy check a server, and take it out while it is not there.
    Check(BackendId, ServerName),
    /// Leads connections to a server.
    Ready(BackendId, ServerName),
    /// Leads no new connections to a server.
    Drain(BackendId, ServerName),
    /// Changes where a server listens.
    Move(BackendId, ServerName, SocketAddrV6),
    /// Closes the connections to a server whose instance is gone.
    Cut(BackendId, ServerName),
    /// Takes a server out of use.
    Stop(BackendId, ServerName),
    /// Removes a server that is out of use and has no connections.
    Remove(BackendId, ServerName),
    /// Replaces all of a map at once.
    Map(MapName, BTreeMap<String, String>),
    /// Brings a certificate.
    Bring(CertificateName, Certificate),
    /// Shows a certificate that HAProxy has.
    Show(CertificateName, Certificate),
    /// Stops showing a certificate: the line of the list.
    Hide(CertificateName, u32),
    /// Removes a certificate that is not shown.
    Forget(CertificateName),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add { backend, server, .. } => write!(f, "add server {backend}/{server}"),
            Self::Check(backend, server) => write!(f, "check server {backend}/{server}"),
            Self::Ready(backend, server) => write!(f, "enable server {backend}/{server}"),
            Self::Drain(backend, server) => write!(f, "drain server {backend}/{server}"),
            Self::Move(backend, server, _) => write!(f, "change the address of server {backend}/{server}"),
            Self::Cut(backend, server) => write!(f, "close the connections of server {backend}/{server}"),
            Self::Stop(backend, server) => write!(f, "disable server {backend}/{server}"),
            Self::Remove(backend, server) => write!(f, "remove server {backend}/{server}"),
            Self::Map(map, _) => write!(f, "replace {}", map.file()),
            Self::Bring(name, _) => write!(f, "add certificate {name}"),
            Self::Show(name, _) => write!(f, "show certificate {name}"),
            Self::Hide(name, _) => write!(f, "hide certificate {name}"),
            Self::Forget(name) => write!(f, "remove certificate {name}"),
        }
    }
}
