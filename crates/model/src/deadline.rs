//! The next moment at which time ends an instance.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::lease::words;
use super::{Instance, Phase, Timestamp};

/// The next moment at which time ends an instance, or takes the next step towards that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// The moment.
    pub at: Timestamp,
    /// What happens then.
    pub cause: DeadlineCause,
}

/// What happens at a [`Deadline`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeadlineCause {
    /// Its lifetime ends, and it is removed.
    Lifetime,
    /// Its idle limit ends, unless there is traffic before.
    Idle,
    /// Its grace period ends. Its client's lease has ended already.
    Grace,
    /// It is stopped already, and is removed then.
    Kept,
}

words!(DeadlineCause { Lifetime = "lifetime", Idle = "idle", Grace = "grace", Kept = "kept" });

impl DeadlineCause {
    /// The cause of a deadline, for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Lifetime => "its lifetime ends then",
            Self::Idle => "unless there is traffic before",
            Self::Grace => "its client's lease ended",
            Self::Kept => "it is stopped, and is removed then",
        }
    }
}

impl Instance {
    /// When its idle limit ends it, unless there is traffic before; `None` while none applies.
    pub fn idle_until(&self) -> Option<Timestamp> {
        let counts = self.phase == Phase::Ready;
        let active = self.times.active.unwrap_or(self.changed).max(self.changed);
        self.times.idle.filter(|_| counts).map(|idle| active.plus(idle))
    }

    /// The next moment at which time ends it or takes the next step towards that. `None` for one that is pinned, being
    /// removed or gone, and for one that nothing but its client's lease ends.
    pub fn deadline(&self) -> Option<Deadline> {
        let gone = matches!(self.phase, Phase::Removing | Phase::Removed);
        if gone || self.times.pinned.is_some() {
            return None;
        }
        let grace = self.due.filter(|_| self.phase == Phase::Ending);
        let kept = self.times.kept_until.filter(|_| self.phase == Phase::Stopped);
        let all = [
            (self.times.until, DeadlineCause::Lifetime),
            (self.idle_until(), DeadlineCause::Idle),
            (grace, DeadlineCause::Grace),
            (kept, DeadlineCause::Kept),
        ];
        let deadlines = all
            .into_iter()
            .filter_map(|(at, cause)| Some(Deadline { at: at?, cause }));
        deadlines.min_by_key(|deadline| deadline.at)
    }

    /// The time until its [`deadline`](Self::deadline), zero if that is over; `None` if it has none.
    ///
    /// `now` is the time of the daemon's clock.
    pub fn time_left(&self, now: Timestamp) -> Option<Duration> {
        self.deadline().map(|deadline| deadline.at.since(now))
    }
}
