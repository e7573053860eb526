//! Lifetimes, as functions: when one ends, and when that is announced.
//!
//! Idle limits are not here: they need a count of packets ([`idle`](super::idle)).

use orchestrator_model::{Expiry, Instance, Phase, Timestamp};

use super::machine::{Step, Terms};

/// The step that the lifetime of an instance demands now; `None` while it demands nothing.
pub(super) fn due(instance: &Instance, terms: Terms, now: Timestamp) -> Option<Step> {
    let until = lifetime(instance)?;
    if until <= now {
        return Some(Step::Expire(Expiry::Lifetime));
    }
    let warns = announcement(instance, terms).is_some_and(|at| at <= now);
    warns.then_some(Step::Warn(until))
}

/// The step, with every rest ending when the lifetime demands something.
pub(super) fn bound(step: Step, instance: &Instance, terms: Terms, now: Timestamp) -> Step {
    let Some(next) = next_moment(instance, terms, now) else {
        return step;
    };
    match step {
        Step::Rest => Step::RestUntil(next),
        Step::RestUntil(until) => Step::RestUntil(until.min(next)),
        step => step,
    }
}

/// The next moment at which the lifetime of an instance demands something; `None` if it never does.
pub(super) fn next_moment(instance: &Instance, terms: Terms, now: Timestamp) -> Option<Timestamp> {
    let until = lifetime(instance)?;
    let announced = announcement(instance, terms).filter(|at| *at > now);
    Some(announced.unwrap_or(until))
}

/// When the end of its lifetime is to be announced; `None` if that is done, or is not wanted.
fn announcement(instance: &Instance, terms: Terms) -> Option<Timestamp> {
    let until = lifetime(instance)?;
    let goes_on = matches!(instance.phase, Phase::Pending | Phase::Starting | Phase::Ready);
    let done = instance.times.warned.is_some_and(|warned| warned >= until);
    (goes_on && !done && !terms.warn.is_zero()).then(|| until.minus(terms.warn))
}

/// When its lifetime ends it; `None` for one that has no limit, is pinned, or is on its way out.
fn lifetime(instance: &Instance) -> Option<Timestamp> {
    let goes = matches!(instance.phase, Phase::Removing | Phase::Removed);
    let counts = !goes && instance.times.pinned.is_none();
    instance.times.until.filter(|_| counts)
}

#[cfg(test)]
#[path = "time_tests.rs"]
mod tests;
