//! The times of instances.

use orchestrator_model::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;
use crate::word::words;

words! {
    /// What happens at the next deadline of an instance.
    pub enum DeadlineCause {
        /// Its lifetime ends, and it is removed.
        Lifetime = "lifetime",
        /// Its idle limit ends, unless there is traffic before.
        Idle = "idle",
        /// Its grace period ends. Its client's lease has ended already.
        Grace = "grace",
        /// It is stopped already, and is removed then.
        Kept = "kept",
    }
}

words! {
    /// Why the time of an instance ended before its client's lease did.
    pub enum Expiry {
        /// Its lifetime ended.
        Lifetime = "lifetime",
        /// It was idle for as long as its template allows.
        Idle = "idle",
        /// Somebody ended its time by hand.
        Operator = "operator",
    }
}

/// The times of an instance besides its client's lease. All moments are of the daemon's clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceTimes {
    /// The next moment at which time ends the instance or takes the next step towards that. `null` for one that is
    /// pinned or gone, and for one that nothing but its client's lease ends.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub deadline: Option<Timestamp>,
    /// What happens at `deadline`.
    pub cause: Option<DeadlineCause>,
    /// When its lifetime ends; `null` if it has no limit.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub lifetime_ends: Option<Timestamp>,
    /// How many seconds it may be without traffic; `null` if it has no limit.
    pub idle_limit: Option<u64>,
    /// When its idle limit ends it, unless there is traffic before; `null` while none applies.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub idle_ends: Option<Timestamp>,
    /// When a stopped instance is removed.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub kept_until: Option<Timestamp>,
    /// Since when it is pinned: no lease, lifetime or idle limit ends it. `null` if it is not.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub pinned: Option<Timestamp>,
    /// Why its time ended, once it has.
    pub expired: Option<Expiry>,
    /// How often its client extended its time, on its page.
    #[serde(default)]
    pub extended: u32,
    /// Since when it is switched off: its containers are stopped, and kept. `null` if it is not.
    #[serde(default)]
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub off: Option<Timestamp>,
    /// When somebody asked for a restart of its processes; `null` once that is done.
    #[serde(default)]
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub reset: Option<Timestamp>,
}

/// The request to extend the time of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// By how much each of its deadlines comes later: whole numbers with units, like `90s`, `1h30m` or `7d`; at least
    /// one second and at most 365 days.
    pub by: String,
}
