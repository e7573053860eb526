//! Names of backends and servers. All of them are made here, of numbers and ids.

use std::fmt;
use std::str::FromStr;

use orchestrator_model::InstanceId;

/// How a backend chooses a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The server with the fewest connections.
    Spread,
    /// By the client's address: a client keeps its server while that serves.
    Sticky,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Spread, Self::Sticky];

    const fn word(self) -> &'static str {
        match self {
            Self::Spread => "spread",
            Self::Sticky => "sticky",
        }
    }
}

/// A backend of the configuration: `spread-17`. It belongs to no service by itself, so that a service that comes later
/// gets one that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BackendId {
    /// How it chooses a server.
    pub kind: Kind,
    /// Its number among its kind.
    pub number: u16,
}

impl fmt::Display for BackendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.kind.word(), self.number)
    }
}

impl FromStr for BackendId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (word, number) = text.split_once('-').ok_or(())?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word).ok_or(())?;
        let number = number.parse().map_err(drop)?;
        Ok(Self { kind, number })
    }
}

/// The name of a server: its instance, and whether connections to it begin with the header of the PROXY protocol.
/// A server cannot change the latter, so that it is another server then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerName {
    /// The instance.
    pub instance: InstanceId,
    /// Whether connections to it begin with the header of the PROXY protocol, version 2.
    pub proxy: bool,
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.proxy { 'p' } else { 'i' }, self.instance)
    }
}

impl FromStr for ServerName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (proxy, id) = match (text.strip_prefix('p'), text.strip_prefix('i')) {
            (Some(id), _) => (true, id),
            (_, Some(id)) => (false, id),
            _ => return Err(()),
        };
        let instance = id.parse().map_err(drop)?;
        Ok(Self { instance, proxy })
    }
}
