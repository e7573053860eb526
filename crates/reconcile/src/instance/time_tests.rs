//! Lifetimes, pins and stops, in every phase.

use std::time::Duration;

use proptest::prelude::*;

use super::super::machine::tests::instance;
use super::super::machine::{Observed, next};
use super::*;
use orchestrator_model::TimeChange;

const NOW: Timestamp = Timestamp(10_000_000);
const SECOND: Duration = Duration::from_secs(1);
const TERMS: Terms = Terms {
    grace: Duration::from_secs(30),
    keep: Duration::from_secs(60),
    warn: Duration::from_secs(5),
    restarts: 0,
};

/// An instance of this phase whose lifetime ends at this moment.
fn until(phase: Phase, until: Timestamp) -> Instance {
    let mut limited = instance(phase);
    limited.times.until = Some(until);
    limited.times.kept_until = Some(NOW.plus(TERMS.keep));
    limited
}

fn step(wanted: bool, instance: &Instance) -> Step {
    next(wanted, Some(instance), Observed::Running, TERMS, NOW)
}

const ALIVE: [Phase; 5] = [
    Phase::Pending,
    Phase::Starting,
    Phase::Ready,
    Phase::Ending,
    Phase::Stopped,
];

#[test]
fn the_end_of_its_lifetime_ends_an_instance_in_every_phase() {
    for phase in ALIVE {
        for wanted in [true, false] {
            assert_eq!(
                step(wanted, &until(phase, NOW)),
                Step::Expire(Expiry::Lifetime),
                "{phase}"
            );
        }
    }
    assert_eq!(step(true, &until(Phase::Removing, NOW)), Step::Remove);
    assert_eq!(step(true, &until(Phase::Removed, NOW)), Step::Rest);
}

#[test]
fn a_ready_instance_rests_until_the_warning_and_then_until_the_end() {
    let end = NOW.plus(TERMS.warn).plus(SECOND);
    let mut ready = until(Phase::Ready, end);
    assert_eq!(step(true, &ready), Step::RestUntil(NOW.plus(SECOND)));
    ready.times.until = Some(NOW.plus(TERMS.warn));
    assert_eq!(step(true, &ready), Step::Warn(NOW.plus(TERMS.warn)));
    let warned = ready.with_times(&TimeChange::Warn(NOW.plus(TERMS.warn)), NOW).unwrap();
    assert_eq!(step(true, &warned), Step::RestUntil(NOW.plus(TERMS.warn)));
    // An extension is announced anew.
    let extended = warned.with_times(&TimeChange::Extend(SECOND), NOW).unwrap();
    assert_eq!(step(true, &extended), Step::RestUntil(NOW.plus(SECOND)));
}

#[test]
fn a_pinned_instance_outlives_its_lease_and_its_lifetime() {
    for phase in [Phase::Ready, Phase::Ending, Phase::Stopped] {
        let pinned = until(phase, NOW).with_times(&TimeChange::Pin, NOW).unwrap();
        let expected = match phase {
            Phase::Ready => Step::Rest,
            _ => Step::Keep,
        };
        assert_eq!(step(false, &pinned), expected, "{phase}");
        let unpinned = pinned.with_times(&TimeChange::Unpin, NOW).unwrap();
        assert_eq!(step(false, &unpinned), Step::Expire(Expiry::Lifetime), "{phase}");
    }
}

#[test]
fn the_grace_is_followed_by_a_stop_if_the_template_keeps_instances() {
    let mut ending = instance(Phase::Ending);
    ending.due = Some(NOW);
    assert_eq!(step(false, &ending), Step::BeginKeep(NOW.plus(TERMS.keep)));
    let without = Terms {
        keep: Duration::ZERO,
        ..TERMS
    };
    let removed = next(false, Some(&ending), Observed::Unknown, without, NOW);
    assert_eq!(removed, Step::MarkForRemoval);
}

#[test]
fn a_kept_instance_is_stopped_rests_and_is_removed_in_the_end() {
    let kept_until = NOW.plus(TERMS.keep);
    let mut kept = instance(Phase::Stopped);
    (kept.times.kept_until, kept.due) = (Some(kept_until), Some(NOW));
    assert_eq!(step(false, &kept), Step::Stop);
    kept.due = Some(NOW.plus(SECOND));
    assert_eq!(step(false, &kept), Step::RestUntil(NOW.plus(SECOND)));
    kept.due = None;
    assert_eq!(step(false, &kept), Step::RestUntil(kept_until));
    assert_eq!(step(true, &kept), Step::Keep);
    kept.times.kept_until = Some(NOW);
    assert_eq!(step(false, &kept), Step::MarkForRemoval);
    // A stop that fails again and again holds up no removal.
    kept.due = Some(NOW.plus(SECOND));
    assert_eq!(step(false, &kept), Step::MarkForRemoval);
}

proptest! {
    /// Whatever the times of an instance are, no rest lies in the past, and one that is not pinned is gone in the end.
    #[test]
    fn time_passes(
        phase in prop::sample::select(ALIVE.to_vec()),
        end in prop::option::of(0_i64..20_000_000),
        due in prop::option::of(0_i64..20_000_000),
        kept in prop::option::of(0_i64..20_000_000),
        answered: bool,
    ) {
        let mut subject = instance(phase);
        subject.times.until = end.map(Timestamp);
        (subject.due, subject.times.kept_until) = (due.map(Timestamp), kept.map(Timestamp));
        subject.ready = answered.then_some(Timestamp(1));
        let mut now = NOW;
        for _ in 0..20 {
            match next(false, Some(&subject), Observed::Unknown, TERMS, now) {
                Step::RestUntil(until) => {
                    prop_assert!(until > now);
                    now = until;
                }
                Step::BeginGrace(until) => (subject.phase, subject.due) = (Phase::Ending, Some(until)),
                Step::BeginKeep(until) => subject.stop(until, now),
                Step::Stop => subject.due = None,
                Step::Warn(at) => subject = subject.with_times(&TimeChange::Warn(at), now).unwrap(),
                Step::Expire(expiry) => {
                    let keep = Duration::ZERO;
                    subject = subject.with_times(&TimeChange::Expire { expiry, keep }, now).unwrap();
                }
                Step::MarkForRemoval => (subject.phase, subject.due) = (Phase::Removing, None),
                Step::Remove => (subject.phase, subject.due) = (Phase::Removed, None),
                Step::Rest => break,
                other => prop_assert!(false, "{:?} for what nobody wants", other),
            }
        }
        prop_assert_eq!(subject.phase, Phase::Removed);
    }
}
