//! The times of an instance besides its client's lease: lifetime, idle limit, pin and keep.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::lease::words;

/// Why the time of an instance ended before its client's lease did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expiry {
    /// Its lifetime ended.
    Lifetime,
    /// It was idle for as long as its template allows.
    Idle,
    /// Somebody ended its time by hand.
    Operator,
}

words!(Expiry { Lifetime = "lifetime", Idle = "idle", Operator = "operator" });

impl Expiry {
    /// The reason of an instance whose time ended so.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Lifetime => "its lifetime ended",
            Self::Idle => "it was idle for as long as its template allows",
            Self::Operator => "its time was ended by hand",
        }
    }
}

/// The recorded times of an instance. All moments are of the daemon's [`Clock`](crate::Clock).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// When its lifetime ends; `None` if it has no limit.
    pub until: Option<Timestamp>,
    /// How long it may be idle; `None` if it has no limit.
    pub idle: Option<Duration>,
    /// When traffic between the instance and others was last observed.
    pub active: Option<Timestamp>,
    /// The count of accepted packets at the last observation, as its host counts them.
    pub packets: Option<u64>,
    /// Since when it is pinned: no lease, lifetime or idle limit ends it. `None` if it is not.
    pub pinned: Option<Timestamp>,
    /// When a stopped instance is removed.
    pub kept_until: Option<Timestamp>,
    /// The deadline that the last warning announced.
    pub warned: Option<Timestamp>,
    /// Why its time ended, once it has.
    pub expired: Option<Expiry>,
    /// How often its client extended its time.
    pub extended: u32,
    /// Since when it is switched off: its containers are stopped, and kept. `None` if it is not.
    #[serde(default)]
    pub off: Option<Timestamp>,
    /// When somebody asked for a restart of its processes; `None` once that is done.
    #[serde(default)]
    pub reset: Option<Timestamp>,
}
