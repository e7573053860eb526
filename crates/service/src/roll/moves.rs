//! What the roller decides.

use orchestrator_model::Timestamp;

/// The moves that a situation calls for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moves {
    /// What to do, in this order.
    pub moves: Vec<Move>,
    /// When to ask again even if nothing changes; `None` for never.
    pub wake: Option<Timestamp>,
    /// Whether everything is as wanted: the wanted number of slots of the target version serves and all routers lead to
    /// them, no slot drains, and no instance of a closed one is left. Operations wait for this.
    pub settled: bool,
    /// What is waited for.
    pub waits: Vec<Wait>,
}

/// One change of what is recorded of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// Open a slot with this number, which is free, for an instance of this version.
    Open {
        /// The number.
        slot: u32,
        /// The version.
        version: u64,
    },
    /// Drain a wanted slot. No router is to lead to it any more.
    Drain {
        /// Its number.
        slot: u32,
        /// Why.
        cause: Cause,
    },
    /// Close a draining slot. Its instance is removed.
    Close {
        /// Its number.
        slot: u32,
        /// Why now.
        cause: Closed,
    },
    /// Count a failure of the target version.
    Failed {
        /// How many failures in a row there are with this one.
        in_a_row: u32,
        /// What failed, and why.
        reason: String,
    },
    /// Set the failures of the target version to none: an instance of it has served for long enough.
    Recovered,
    /// Give the target version up. The target is the good version from now on, without failures. Without a good version the
    /// target stays, [`given_up`](super::Situation::given_up) names it, and the operation that waits for it fails.
    GiveUp {
        /// The version that is given up.
        version: u64,
        /// The version to go back to.
        back_to: Option<u64>,
        /// The reason, for people.
        reason: String,
    },
    /// The target version is the good version from now on: all its instances have served steadily, or they serve and there was
    /// never another.
    Good {
        /// The version.
        version: u64,
    },
}

/// Why a slot is drained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Another version takes its place.
    Replaced,
    /// The lifetime of its instance ends soon. Another slot takes its place.
    Ends,
    /// There are more slots than wanted.
    Surplus,
    /// Its instance failed, for this reason. Another slot takes its place.
    Failed(String),
}

/// Why a draining slot is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// No connection is left.
    Drained,
    /// Connections are left, and the time for them is over.
    Deadline,
    /// It has no instance.
    Empty,
    /// Its instance failed, and another needs its place.
    Room,
}

/// What a service waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// The instance of this slot is to serve until then.
    Serving {
        /// The slot.
        slot: u32,
        /// The deadline.
        until: Timestamp,
    },
    /// A host is to be there that can have the instance of this slot.
    Host {
        /// The slot.
        slot: u32,
        /// Why there is none.
        reason: String,
    },
    /// All routers are to lead to this slot.
    Routed {
        /// The slot.
        slot: u32,
    },
    /// No router is to lead to this draining slot.
    Unrouted {
        /// The slot.
        slot: u32,
    },
    /// The connections of this slot are to end until then.
    Connections {
        /// The slot.
        slot: u32,
        /// How many are left, if that is known.
        left: Option<u64>,
        /// The deadline.
        until: Timestamp,
    },
    /// The instance of this slot is to be gone, which was closed.
    Removed {
        /// The slot.
        slot: u32,
    },
    /// A new instance is to have served for the strategy's pause.
    Pause {
        /// When that is over.
        until: Timestamp,
    },
    /// The next instance replaces a failed one then.
    BackOff {
        /// When.
        until: Timestamp,
        /// The failures in a row.
        failures: u32,
    },
    /// An operator is to resume the roll.
    Resume,
    /// An operator is to switch this slot on.
    SwitchedOff {
        /// The slot.
        slot: u32,
    },
}
