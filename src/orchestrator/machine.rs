//! The life of an instance, as a function: what is recorded, what is seen and what is wanted give the next step.
//!
//! ```text
//!              lease                     runs, wired
//!   (none) ───────────▶ pending ───────────────────────▶ starting
//!      ▲                 │  ▲ ▲                           │ │
//!      │          lease  │  │ └── a step failed: wait, ◀──┘ │ answers
//!      │          ended  │  │     then try again            ▼
//!      │                 │  └──── ended or unwired ◀────── ready
//!      │                 │        behind our back         │    ▲
//!      │                 ▼                    lease ended │    │ lease again
//!   removed ◀──────── removing ◀───────────────────────── ending
//!             all gone      ▲      grace ended
//!                           └──── destroyed by an admin, from any phase
//! ```
//!
//! Nothing here does I/O or reads a clock, so that every way through the picture can be tested.

use std::time::Duration;

use crate::model::{Instance, Phase, Timestamp};

/// What is seen of an instance in the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// Nobody looked, or the engine does not answer: nothing can be said.
    Unknown,
    /// The engine has no such instance.
    Absent,
    /// It exists and does not run.
    Stopped {
        /// Its exit code, where it ever ran.
        code: Option<i64>,
    },
    /// It runs and has no attachment.
    Unwired,
    /// It runs and is attached.
    Running,
}

/// What to do next for a client.
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
    /// Record that it stopped being as it should be, and try again at the given time.
    Disturb {
        /// What was seen.
        what: String,
        /// Tries since it last was ready for long.
        attempts: u32,
        /// When to try again.
        due: Timestamp,
    },
    /// Record that its lease ended and that it is removed at the given time.
    BeginGrace(Timestamp),
    /// Record that its client came back.
    Keep,
    /// Record that it is on its way out.
    Condemn,
    /// Take it out of the world.
    Remove,
}

/// How long an instance must have been ready for its next failure to count as its first.
pub(super) const STEADY: Duration = Duration::from_secs(60);

/// The longest wait between two tries.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How long to wait after the given number of failed tries: 0, 1, 2, 4 … 60 s.
pub(super) fn wait_after(attempts: u32) -> Duration {
    match attempts {
        0 => Duration::ZERO,
        n => Duration::from_secs(1u64 << (n - 1).min(6)).min(LONGEST_WAIT),
    }
}

/// The next step for a client with the live `instance`, if any.
///
/// `wanted` says whether the client is to have one: it holds a lease, and its link has a template.
pub(super) fn next(wanted: bool, instance: Option<&Instance>, sight: Sight, grace: Duration, now: Timestamp) -> Step {
    let Some(instance) = instance else {
        return if wanted { Step::Plan } else { Step::Rest };
    };
    match (instance.phase, wanted) {
        (Phase::Removed, _) => Step::Rest,
        (Phase::Removing, _) => wait_or(instance, now, Step::Remove),
        (Phase::Ending, true) => Step::Keep,
        (Phase::Ending, false) => wait_or(instance, now, Step::Condemn),
        // What never answered has nothing in it that its client could miss.
        (Phase::Pending | Phase::Starting, false) if instance.ready.is_none() => Step::Condemn,
        (Phase::Pending | Phase::Starting | Phase::Ready, false) => Step::BeginGrace(now.plus(grace)),
        (Phase::Pending | Phase::Starting, true) => wait_or(instance, now, Step::Provision),
        (Phase::Ready, true) => look_after(instance, sight, now),
    }
}

/// Whether a ready instance is still as it should be.
fn look_after(instance: &Instance, sight: Sight, now: Timestamp) -> Step {
    let what = match sight {
        Sight::Running | Sight::Unknown => return Step::Rest,
        Sight::Absent => "was removed from the engine behind our back; it is made again".to_owned(),
        Sight::Stopped { code: Some(code) } => format!("ended with exit code {code}; it is started again"),
        Sight::Stopped { code: None } => "was found not started; it is started again".to_owned(),
        Sight::Unwired => "lost its attachment; it is wired again".to_owned(),
    };
    let attempts = if now.since(instance.changed) >= STEADY {
        0
    } else {
        instance.attempts.saturating_add(1)
    };
    Step::Disturb {
        what,
        attempts,
        due: now.plus(wait_after(attempts.saturating_sub(1))),
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
mod tests;
