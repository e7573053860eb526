//! The life of an instance, as a function: what is recorded, what is seen and what is wanted give the next step.
//!
//! ```text
//!                 lease: it is recorded, and brought up at once
//!   (none) ──────────────────────────────────────────────▶ starting
//!      ▲                              tried again           ▲ │ │
//!      │              pending ──────────────────────────────┘ │ │ answers
//!      │                 │ ▲ ▲                                │ │
//!      │                 │ │ └──── a step failed: wait ◀──────┘ ▼
//!      │          lease  │ └────── ended, unwired, or ◀─────── ready
//!      │          ended  │         stopped answering            │  ▲
//!      │                 ▼                          lease ended │  │ lease again
//!   removed ◀──────── removing ◀───────────────────────── ending
//!             all gone    ▲ ▲      grace ended             │
//!                         │ │                              │ grace ended, and the template keeps it
//!                         │ │       kept for long enough   ▼
//!                         │ └─────────────────────────── stopped ──▶ pending, when the client comes back
//!                         └──── its lifetime ended, or destroyed by an admin, from any phase
//! ```
//!
//! A ready instance that was idle for too long is stopped, too, without a grace period. One that is pinned is wanted
//! whatever its owner wants, and no time ends it.
//!
//! One that somebody switched off is stopped, and kept so until it is switched on again; when it is not wanted any more,
//! it is kept for as long as its grace period and its template say. A restart that somebody asked for is taken like one
//! after an instance stopped answering.
//!
//! An instance that stopped answering is wired again first. One that does not answer even then is restarted, each time
//! after a longer wait, until it answers or was restarted as often as its template allows:
//!
//! ```text
//!                        ready, and checks fail
//!                                  │
//!                                  ▼      answers
//!                        Provision: wire ──────────▶ ready
//!                                  │                   ▲
//!                   does not answer│                   │ answers
//!                                  ▼                   │
//!                  ┌────▶ wait ─▶ Restart ─────────────┤
//!                  └─ does not ────┘│ no restart left  │
//!                     answer        ▼                  │
//!                          wait ─▶ Provision ──────────┘
//!                            ▲         │ does not answer
//!                            └─────────┘
//! ```
//!
//! One that never answered is not restarted: it may need longer than anybody said.
//!
//! Nothing here does I/O or reads a clock, so that every way through the picture can be tested.

use std::time::Duration;

use orchestrator_host::{Flaw, Lack};

use super::checks::Silence;
use super::time;
use orchestrator_model::{Expiry, Instance, Phase, Timestamp};

/// The observed state of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Observed {
    /// Nobody observed it, or the engine does not answer.
    Unknown,
    /// The engine has no such instance.
    Absent,
    /// It exists and does not run.
    Stopped {
        /// Its exit code, where it ever ran.
        code: Option<i64>,
    },
    /// Its first container runs, and one of the others does not.
    Incomplete {
        /// The place of that container among those of the instance.
        place: usize,
        /// What became of it.
        lack: Lack,
    },
    /// Its processes are frozen.
    Paused,
    /// It runs and has no attachment.
    Unwired,
    /// It runs and is attached, and within its namespace something is missing.
    Flawed(Flaw),
    /// It runs and is wired, and has failed its checks too often in a row.
    Silent(Silence),
    /// It runs and is wired, and nothing is known against it.
    Running,
}

/// The present terms of an instance, from its template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Terms {
    /// How long it outlives its lease.
    pub(super) grace: Duration,
    /// How long it is kept stopped after that.
    pub(super) keep: Duration,
    /// How long before the end of its lifetime an event announces that.
    pub(super) warn: Duration,
    /// How often it is restarted when it stopped answering.
    pub(super) restarts: u32,
}

/// How a try to bring an instance to answer has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shortfall {
    /// Its engine does not answer, which is not the instance's failure.
    Engine,
    /// It runs, and its host's packet filter has not its rules, which is not the instance's failure.
    Rules,
    /// It runs and is wired, and does not answer.
    Silent,
    /// It runs and is wired, and waits for an address. Nothing has failed.
    Address,
    /// Anything else.
    Other,
}

/// What to record after a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Retry {
    /// Where the instance is now.
    pub(super) phase: Phase,
    /// Tries since it last was ready for long.
    pub(super) attempts: u32,
    /// When it is tried again.
    pub(super) due: Timestamp,
}

/// The next step for an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing, until something happens.
    Rest,
    /// Nothing, until then.
    RestUntil(Timestamp),
    /// Record that the client is to have an instance.
    Plan,
    /// Make it run, wire it, and see it answer.
    Provision,
    /// The same, with its processes stopped first.
    Restart {
        /// Which restart it is since it last was ready for long, from 1; 0 for one that somebody asked for.
        nth: u32,
    },
    /// Record that it stopped being as it should be, and try again at the given time.
    Disturb {
        /// What is wrong with it.
        what: String,
        /// Tries since it last was ready for long.
        attempts: u32,
        /// When to try again.
        due: Timestamp,
        /// The place of the container that ended by itself, if one did: its last output says why.
        ended: Option<usize>,
    },
    /// Record that its lease ended and that it is removed at the given time.
    BeginGrace(Timestamp),
    /// Record that its client came back.
    Keep,
    /// Record that it is to be stopped because somebody switched it off.
    SwitchOff,
    /// Record that it is to be stopped, and removed at the given time.
    BeginKeep(Timestamp),
    /// Stop it.
    Stop,
    /// Record that its time ended.
    Expire(Expiry),
    /// Record that its lifetime ends soon, at the given time.
    Warn(Timestamp),
    /// Record that it is on its way out.
    MarkForRemoval,
    /// Take it out of the world.
    Remove,
}

/// How long an instance must have been ready for its next failure to count as its first.
pub(super) const STEADY: Duration = Duration::from_secs(60);

/// The longest wait between two tries.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How long to wait for an engine that is down before it is asked again; its return wakes everyone earlier.
const ENGINE_PAUSE: Duration = Duration::from_secs(10);
/// The wait before an instance asks again for its rules.
const RULES_PAUSE: Duration = Duration::from_secs(2);

/// How long to wait after the given number of failed tries: 0, 1, 2, 4 … 60 s.
pub(super) fn wait_after(attempts: u32) -> Duration {
    match attempts {
        0 => Duration::ZERO,
        n => Duration::from_secs(1u64 << (n - 1).min(6)).min(LONGEST_WAIT),
    }
}

/// The next step for a client with the live `instance`, if any.
///
/// `wanted` says whether the client is to have one: it holds a lease, and its link has a template. One that is pinned is
/// wanted anyway.
pub(super) fn next(
    wanted: bool,
    instance: Option<&Instance>,
    observed: Observed,
    terms: Terms,
    now: Timestamp,
) -> Step {
    let Some(instance) = instance else {
        return if wanted { Step::Plan } else { Step::Rest };
    };
    let wanted = wanted || instance.times.pinned.is_some();
    if let Some(step) = time::due(instance, terms, now) {
        return step;
    }
    let step = match (instance.phase, wanted) {
        (Phase::Removed, _) => Step::Rest,
        (Phase::Removing, _) => wait_or(instance, now, Step::Remove),
        (Phase::Pending | Phase::Starting | Phase::Ready | Phase::Stopped, _) if instance.times.off.is_some() => {
            switched_off(wanted, instance, terms, now)
        }
        (Phase::Pending | Phase::Starting | Phase::Ready, true) if instance.times.reset.is_some() => {
            wait_or(instance, now, Step::Restart { nth: 0 })
        }
        (Phase::Ending | Phase::Stopped, true) => Step::Keep,
        (Phase::Ending, false) => wait_or(instance, now, after_grace(terms, now)),
        (Phase::Stopped, false) => stopped(instance, now),
        // An instance that never answered holds nothing that its client could miss.
        (Phase::Pending | Phase::Starting, false) if instance.ready.is_none() => Step::MarkForRemoval,
        (Phase::Pending | Phase::Starting | Phase::Ready, false) => Step::BeginGrace(now.plus(terms.grace)),
        (Phase::Pending | Phase::Starting, true) => wait_or(instance, now, bring_up(instance, terms)),
        (Phase::Ready, true) => judge_ready(instance, observed, now),
    };
    time::bound(step, instance, terms, now)
}

/// What follows the grace period.
fn after_grace(terms: Terms, now: Timestamp) -> Step {
    match terms.keep.is_zero() {
        true => Step::MarkForRemoval,
        false => Step::BeginKeep(now.plus(terms.keep)),
    }
}

/// The next step for an instance that is switched off.
fn switched_off(wanted: bool, instance: &Instance, terms: Terms, now: Timestamp) -> Step {
    let kept_until = instance.times.kept_until;
    match (instance.phase, wanted) {
        (Phase::Stopped, true) if kept_until.is_none() => match instance.due {
            None => Step::Rest,
            Some(due) if due <= now => Step::Stop,
            Some(due) => Step::RestUntil(due),
        },
        (_, true) => Step::SwitchOff,
        (Phase::Stopped, false) if kept_until.is_some() => stopped(instance, now),
        (_, false) => match terms.grace.saturating_add(terms.keep) {
            Duration::ZERO => Step::MarkForRemoval,
            kept => Step::BeginKeep(now.plus(kept)),
        },
    }
}

/// The next step for an instance that is stopped and not wanted now.
fn stopped(instance: &Instance, now: Timestamp) -> Step {
    let Some(kept_until) = instance.times.kept_until.filter(|until| *until > now) else {
        return Step::MarkForRemoval;
    };
    match instance.due {
        None => Step::RestUntil(kept_until),
        Some(due) if due <= now => Step::Stop,
        Some(due) => Step::RestUntil(due.min(kept_until)),
    }
}

/// Whether a try to bring an instance to answer begins with a restart.
///
/// It does when the try before found it running and wired, and it answered once.
fn bring_up(instance: &Instance, terms: Terms) -> Step {
    let stopped_answering = instance.phase == Phase::Starting && instance.ready.is_some();
    match instance.attempts {
        nth if stopped_answering && (1..=terms.restarts).contains(&nth) => Step::Restart { nth },
        _ => Step::Provision,
    }
}

/// The number of the restart after a try that found the instance running and silent; `None` when it is left running.
pub(super) fn restart_after(instance: &Instance, terms: Terms) -> Option<u32> {
    let nth = instance.attempts.saturating_add(1);
    (instance.ready.is_some() && nth <= terms.restarts).then_some(nth)
}

/// What is recorded after a try that failed.
pub(super) fn retry(instance: &Instance, shortfall: Shortfall, now: Timestamp) -> Retry {
    let attempts = instance.attempts.saturating_add(1);
    let (phase, attempts, wait) = match shortfall {
        Shortfall::Engine => (Phase::Pending, instance.attempts, ENGINE_PAUSE),
        Shortfall::Rules => (Phase::Pending, instance.attempts, RULES_PAUSE),
        Shortfall::Silent => (Phase::Starting, attempts, wait_after(attempts)),
        // It is woken when the address is given.
        Shortfall::Address => (Phase::Starting, instance.attempts, LONGEST_WAIT),
        Shortfall::Other => (Phase::Pending, attempts, wait_after(attempts)),
    };
    Retry {
        phase,
        attempts,
        due: now.plus(wait),
    }
}

/// Whether a ready instance is still as it should be.
fn judge_ready(instance: &Instance, observed: Observed, now: Timestamp) -> Step {
    let what = match observed {
        Observed::Running | Observed::Unknown => return Step::Rest,
        Observed::Absent => "was removed from the engine behind our back; it is made again".to_owned(),
        Observed::Stopped { code: Some(code) } => format!("ended with exit code {code}; it is started again"),
        Observed::Stopped { code: None } => "was found not started; it is started again".to_owned(),
        Observed::Incomplete { place, lack } => incomplete(instance, place, lack),
        Observed::Paused => "was paused behind our back; it goes on".to_owned(),
        Observed::Unwired => "lost its attachment; it is wired again".to_owned(),
        Observed::Flawed(flaw) => format!("lost a part of its wiring: {flaw}; it is wired again"),
        Observed::Silent(Silence { checks, how }) => {
            format!("stopped answering: {how}, {checks} checks in a row; it is wired again")
        }
    };
    let attempts = match observed {
        _ if now.since(instance.changed) >= STEADY => 0,
        // The try that follows counts: it finds out whether a restart is needed.
        Observed::Silent(_) => instance.attempts,
        _ => instance.attempts.saturating_add(1),
    };
    Step::Disturb {
        what,
        attempts,
        due: now.plus(wait_after(attempts.saturating_sub(1))),
        ended: ended(observed),
    }
}

/// The place of the container that ended by itself.
fn ended(observed: Observed) -> Option<usize> {
    match observed {
        Observed::Stopped { code: Some(_) } => Some(0),
        Observed::Incomplete {
            place,
            lack: Lack::Stopped { code: Some(_) },
        } => Some(place),
        _ => None,
    }
}

/// What is said of an instance one of whose further containers does not run.
fn incomplete(instance: &Instance, place: usize, lack: Lack) -> String {
    let name = instance.containers.get(place).map_or("", |container| &container.name);
    match lack {
        Lack::Absent => format!("its container {name} was removed behind our back; it is made again"),
        Lack::Stopped { code: Some(code) } => {
            format!("its container {name} ended with exit code {code}; it is started again")
        }
        Lack::Stopped { code: None } => format!("its container {name} was found not started; it is started again"),
    }
}

fn wait_or(instance: &Instance, now: Timestamp, step: Step) -> Step {
    match instance.due {
        Some(due) if due > now => Step::RestUntil(due),
        _ => step,
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
pub(super) mod tests;
