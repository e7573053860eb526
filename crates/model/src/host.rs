//! Machines on which instances run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::lease::words;

/// The id of a host. `local` is the daemon's own machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HostId(String);

impl HostId {
    /// The text of [`HostId::local`].
    pub const LOCAL: &'static str = "local";

    /// The daemon's own machine.
    pub fn local() -> Self {
        Self(Self::LOCAL.to_owned())
    }

    /// The host with this id.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// Whether it is the daemon's own machine.
    pub fn is_local(&self) -> bool {
        self.0 == Self::LOCAL
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Whether a host may be given instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostState {
    /// It may be given instances.
    Active,
    /// It keeps the instances that it has, and is given no others.
    Draining,
    /// It is not asked any more.
    Retired,
}

words!(HostState { Active = "active", Draining = "draining", Retired = "retired" });

/// A machine with an engine and networks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// The daemon's id for it.
    pub id: HostId,
    /// Its name, for people. No other host has this name.
    pub name: String,
    /// The address of its agent; `None` for the daemon's own machine.
    pub address: Option<String>,
    /// The fingerprint of its agent's certificate; `None` for the daemon's own machine.
    pub fingerprint: Option<String>,
    /// Its roles, which decide which instances are placed on it.
    pub roles: Vec<String>,
    /// Whether it may be given instances.
    pub state: HostState,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen, to about half a minute.
    pub last_seen: Timestamp,
}
