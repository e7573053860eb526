//! Changes of the times of an instance, and what each does to it.

use std::time::Duration;

use super::{ClientExtension, EventKind, Expiry, Instance, Phase, TimeRefusal, Timestamp, show_lifespan};

/// A change of the times of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeChange {
    /// Nothing but a removal by hand ends the instance from now on.
    Pin,
    /// Lease, lifetime and idle limit count again. An idle limit begins anew.
    Unpin,
    /// Every deadline of the instance comes later by this much.
    Extend(Duration),
    /// Its client extends it, as far as the template that it was made from allows.
    ExtendByClient,
    /// The instance is ended now. With a `keep` that is not zero it is stopped first, and removed after that time.
    Expire {
        /// Why.
        expiry: Expiry,
        /// How long it is kept after it was stopped.
        keep: Duration,
    },
    /// Its containers are stopped, and kept, until it is switched on again.
    SwitchOff,
    /// Its containers are started again.
    SwitchOn,
    /// Its containers are stopped and started again.
    Reset,
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
            Self::ExtendByClient => "extend-by-client",
            Self::Expire { .. } => "expire",
            Self::SwitchOff => "switch-off",
            Self::SwitchOn => "switch-on",
            Self::Reset => "reset",
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
            Self::ExtendByClient => {
                let ClientExtension { by, times } = after.spec.extension?;
                let by = format!("by {}, {} of {times} times", show_lifespan(by), after.times.extended);
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
            Self::SwitchOff => (EventKind::InstanceSwitchedOff, None),
            Self::SwitchOn => (EventKind::InstanceSwitchedOn, None),
            Self::Reset => (EventKind::InstanceReset, None),
            Self::Warn(_) => (EventKind::InstanceWarned, ends()),
            Self::Count { .. } => return None,
        })
    }
}

impl Instance {
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
            TimeChange::ExtendByClient => changed.extend_by_client(now)?,
            TimeChange::Expire { expiry, keep } => changed.expire(*expiry, *keep, now)?,
            TimeChange::SwitchOff => changed.switch_off(now)?,
            TimeChange::SwitchOn => changed.switch_on(now),
            TimeChange::Reset => changed.reset(now)?,
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

    fn switch_off(&mut self, now: Timestamp) -> Result<(), TimeRefusal> {
        if self.times.off.is_some() {
            return Ok(());
        }
        if matches!(self.phase, Phase::Ending | Phase::Stopped) {
            return Err(TimeRefusal::NotRunning);
        }
        self.times.off = Some(now);
        self.times.reset = None;
        // It is stopped now, whatever it waits for.
        self.due = None;
        Ok(())
    }

    fn switch_on(&mut self, now: Timestamp) {
        if self.times.off.take().is_none() || self.phase != Phase::Stopped {
            return;
        }
        (self.phase, self.due, self.reason) = (Phase::Pending, None, None);
        (self.attempts, self.changed, self.times.kept_until) = (0, now, None);
    }

    fn reset(&mut self, now: Timestamp) -> Result<(), TimeRefusal> {
        if self.times.off.is_some() {
            return Err(TimeRefusal::SwitchedOff);
        }
        if matches!(self.phase, Phase::Ending | Phase::Stopped) {
            return Err(TimeRefusal::NotRunning);
        }
        self.times.reset = Some(now);
        (self.attempts, self.due) = (0, None);
        Ok(())
    }

    fn unpin(&mut self, now: Timestamp) {
        if self.times.pinned.take().is_some() {
            self.times.active = self.times.active.map(|active| active.max(now)).or(Some(now));
        }
    }

    fn extend_by_client(&mut self, now: Timestamp) -> Result<(), TimeRefusal> {
        let extension = self.spec.extension.ok_or(TimeRefusal::NotAllowed)?;
        if self.times.pinned.is_some() {
            return Err(TimeRefusal::Pinned);
        }
        if self.times.extended >= extension.times {
            return Err(TimeRefusal::TooOften);
        }
        self.extend(extension.by, now)?;
        self.times.extended = self.times.extended.saturating_add(1);
        Ok(())
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
