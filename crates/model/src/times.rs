//! The times of an instance besides its client's lease: lifetime, idle limit, pin and keep.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::lease::words;
use super::{EventKind, Instance, Phase, Timestamp, show_lifespan};

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
}

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

/// A change of the times of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeChange {
    /// Nothing but a removal by hand ends the instance from now on.
    Pin,
    /// Lease, lifetime and idle limit count again. An idle limit begins anew.
    Unpin,
    /// Every deadline of the instance comes later by this much.
    Extend(Duration),
    /// The instance is ended now. With a `keep` that is not zero it is stopped first, and removed after that time.
    Expire {
        /// Why.
        expiry: Expiry,
        /// How long it is kept after it was stopped.
        keep: Duration,
    },
    /// A warning announced the present deadline.
    Warn(Timestamp),
    /// Traffic was counted: the new count, and whether there was any since the last observation.
    Count {
        /// Accepted packets, as the host counts them.
        packets: u64,
        /// Whether there was traffic since the last observation.
        active: bool,
    },
}

impl TimeChange {
    /// A word for the change, for logs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Unpin => "unpin",
            Self::Extend(_) => "extend",
            Self::Expire { .. } => "expire",
            Self::Warn(_) => "warn",
            Self::Count { .. } => "count",
        }
    }

    /// The event of this change, for the instance as it is after it; `None` for a count.
    pub fn event(&self, after: &Instance) -> Option<(EventKind, Option<String>)> {
        let ends = || {
            let deadline = after.deadline()?;
            Some(format!("it ends at {} ({})", deadline.at, deadline.cause.sentence()))
        };
        Some(match self {
            Self::Pin => (EventKind::InstancePinned, None),
            Self::Unpin => (EventKind::InstanceUnpinned, ends()),
            Self::Extend(by) => {
                let by = format!("by {}", show_lifespan(*by));
                let detail = ends().map_or(by.clone(), |ends| format!("{by}; {ends}"));
                (EventKind::InstanceExtended, Some(detail))
            }
            Self::Expire { expiry, .. } => {
                let kept = after.times.kept_until.filter(|_| after.phase == Phase::Stopped);
                let kept = kept.map_or(String::new(), |until| {
                    format!("; it is stopped, and kept until {until}")
                });
                let detail = format!("{}{kept}", expiry.sentence());
                (EventKind::InstanceExpired, Some(detail))
            }
            Self::Warn(_) => (EventKind::InstanceWarned, ends()),
            Self::Count { .. } => return None,
        })
    }
}

/// Why a change of times is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeRefusal {
    /// It is being removed, or is gone.
    #[error("it is being removed, or is gone")]
    Gone,
    /// It is pinned.
    #[error("it is pinned; unpin it first")]
    Pinned,
    /// No time ends it.
    #[error(
        "it has no lifetime and no idle limit, so that there is nothing to extend; pin it to keep it beyond its lease"
    )]
    NoDeadline,
    /// The deadline moved meanwhile.
    #[error("its deadline is another one by now")]
    Outdated,
}

impl TimeRefusal {
    /// A stable word for the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Gone => "instance-gone",
            Self::Pinned => "instance-pinned",
            Self::NoDeadline => "no-deadline",
            Self::Outdated => "deadline-changed",
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

    /// The instance after a change of its times.
    ///
    /// # Errors
    ///
    /// When the change does not fit its present state.
    pub fn with_times(&self, change: &TimeChange, now: Timestamp) -> Result<Self, TimeRefusal> {
        if matches!(self.phase, Phase::Removing | Phase::Removed) {
            return Err(TimeRefusal::Gone);
        }
        let mut changed = self.clone();
        match change {
            TimeChange::Pin => changed.times.pinned = changed.times.pinned.or(Some(now)),
            TimeChange::Unpin => changed.unpin(now),
            TimeChange::Extend(by) => changed.extend(*by, now)?,
            TimeChange::Expire { expiry, keep } => changed.expire(*expiry, *keep, now)?,
            TimeChange::Warn(at) => changed.warn(*at)?,
            TimeChange::Count { packets, active } => {
                changed.times.packets = Some(*packets);
                if *active {
                    changed.times.active = Some(now);
                }
            }
        }
        Ok(changed)
    }

    fn warn(&mut self, at: Timestamp) -> Result<(), TimeRefusal> {
        if self.times.until != Some(at) && self.idle_until() != Some(at) {
            return Err(TimeRefusal::Outdated);
        }
        self.times.warned = self.times.warned.max(Some(at));
        Ok(())
    }

    fn unpin(&mut self, now: Timestamp) {
        if self.times.pinned.take().is_some() {
            self.times.active = self.times.active.map(|active| active.max(now)).or(Some(now));
        }
    }

    fn extend(&mut self, by: Duration, now: Timestamp) -> Result<(), TimeRefusal> {
        let later = |at: &mut Option<Timestamp>| *at = at.map(|at| at.max(now).plus(by));
        let phase = self.phase;
        let has_deadline = self.times.until.is_some() || self.times.idle.is_some();
        if !has_deadline && !matches!(phase, Phase::Ending | Phase::Stopped) {
            return Err(TimeRefusal::NoDeadline);
        }
        later(&mut self.times.until);
        if self.times.idle.is_some() {
            let active = self.times.active.unwrap_or(self.changed).max(self.changed);
            self.times.active = Some(active.plus(by));
        }
        match phase {
            Phase::Ending => later(&mut self.due),
            Phase::Stopped => later(&mut self.times.kept_until),
            _ => return Ok(()),
        }
        let end = self.due.filter(|_| phase == Phase::Ending).or(self.times.kept_until);
        let end = end.map_or(String::new(), |end| {
            format!("; removed at {end} unless the client returns")
        });
        self.reason = Some(format!("its time was extended{end}"));
        // One that was idle may run again while its client holds a lease.
        if phase == Phase::Stopped {
            self.times.expired = None;
        }
        Ok(())
    }

    fn expire(&mut self, expiry: Expiry, keep: Duration, now: Timestamp) -> Result<(), TimeRefusal> {
        if self.times.pinned.is_some() {
            return Err(TimeRefusal::Pinned);
        }
        let over = |end: Option<Timestamp>| end.is_some_and(|end| end <= now);
        let is_over = match expiry {
            Expiry::Lifetime => over(self.times.until),
            Expiry::Idle => over(self.idle_until()),
            Expiry::Operator => true,
        };
        if !is_over {
            return Err(TimeRefusal::Outdated);
        }
        self.times.expired = Some(expiry);
        self.reason = Some(expiry.sentence().to_owned());
        (self.attempts, self.changed) = (0, now);
        if keep.is_zero() || self.phase == Phase::Stopped {
            (self.phase, self.due) = (Phase::Removing, None);
        } else {
            self.stop(now.plus(keep), now);
        }
        Ok(())
    }

    /// Marks it to be stopped now, and to be kept until then.
    pub fn stop(&mut self, kept_until: Timestamp, now: Timestamp) {
        (self.phase, self.due) = (Phase::Stopped, Some(now));
        self.times.kept_until = Some(kept_until);
    }
}
