//! Every way through the picture, and properties over all of them.

use proptest::prelude::*;

use super::*;
use orchestrator_model::{Container, ContainerSpec, HostId, Id, Owner, Resources, Slot, Times};

const NOW: Timestamp = Timestamp(1_000_000);
const GRACE: Duration = Duration::from_secs(30);
const TERMS: Terms = Terms {
    grace: GRACE,
    keep: Duration::ZERO,
    warn: Duration::ZERO,
    restarts: 5,
};

const SILENT: Observed = Observed::Silent(Silence {
    checks: 3,
    how: "it takes no connection",
});

const ENDED_SIDECAR: Observed = Observed::Incomplete {
    place: 1,
    lack: Lack::Stopped { code: Some(1) },
};

/// An instance of this phase, with nothing else to say.
pub(in super::super) fn instance(phase: Phase) -> Instance {
    Instance {
        id: Id::from_bytes([1; 6]),
        owner: Owner::Client(Id::from_bytes([2; 6])),
        slot: Slot::new("default"),
        host: Some(HostId::local()),
        template: "default".to_owned(),
        version: 0,
        spec: ContainerSpec {
            image: "image".to_owned(),
            hostname: "host".to_owned(),
            command: Vec::new(),
            environment: Default::default(),
            environment_from: Default::default(),
            capabilities: Vec::new(),
            resources: Resources::default(),
            labels: Default::default(),
            ..ContainerSpec::default()
        }
        .into(),
        phase,
        reason: None,
        attempts: 0,
        due: None,
        containers: Vec::new(),
        attachments: Vec::new(),
        created: Timestamp(0),
        ready: None,
        changed: Timestamp(0),
        times: Times::default(),
    }
}

fn step(wanted: bool, instance: &Instance, observed: Observed) -> Step {
    next(wanted, Some(instance), observed, TERMS, NOW)
}

#[test]
fn a_lease_makes_an_instance_and_nothing_else_does() {
    assert_eq!(next(true, None, Observed::Unknown, TERMS, NOW), Step::Plan);
    assert_eq!(next(false, None, Observed::Unknown, TERMS, NOW), Step::Rest);
}

#[test]
fn a_pending_one_is_provisioned_when_it_is_due() {
    let mut pending = instance(Phase::Pending);
    assert_eq!(step(true, &pending, Observed::Unknown), Step::Provision);
    pending.due = Some(Timestamp(NOW.0 + 1));
    assert_eq!(
        step(true, &pending, Observed::Unknown),
        Step::RestUntil(Timestamp(NOW.0 + 1))
    );
    pending.due = Some(NOW);
    assert_eq!(step(true, &pending, Observed::Unknown), Step::Provision);
}

#[test]
fn one_that_never_answered_goes_without_grace() {
    assert_eq!(
        step(false, &instance(Phase::Pending), Observed::Absent),
        Step::MarkForRemoval
    );
    assert_eq!(
        step(false, &instance(Phase::Starting), Observed::Running),
        Step::MarkForRemoval
    );
}

#[test]
fn one_that_answered_has_its_grace() {
    let until = NOW.plus(GRACE);
    assert_eq!(
        step(false, &instance(Phase::Ready), Observed::Running),
        Step::BeginGrace(until)
    );
    let mut disturbed = instance(Phase::Pending);
    disturbed.ready = Some(Timestamp(1));
    assert_eq!(step(false, &disturbed, Observed::Absent), Step::BeginGrace(until));
}

#[test]
fn the_grace_ends_in_time_or_by_the_client_coming_back() {
    let mut ending = instance(Phase::Ending);
    ending.due = Some(Timestamp(NOW.0 + 5));
    assert_eq!(
        step(false, &ending, Observed::Running),
        Step::RestUntil(Timestamp(NOW.0 + 5))
    );
    assert_eq!(step(true, &ending, Observed::Running), Step::Keep);
    ending.due = Some(NOW);
    assert_eq!(step(false, &ending, Observed::Running), Step::MarkForRemoval);
}

#[test]
fn what_happens_behind_our_back_is_seen() {
    let ready = instance(Phase::Ready);
    assert_eq!(step(true, &ready, Observed::Running), Step::Rest);
    assert_eq!(step(true, &ready, Observed::Unknown), Step::Rest);
    for observed in [
        Observed::Absent,
        Observed::Stopped { code: Some(137) },
        Observed::Stopped { code: None },
        ENDED_SIDECAR,
        Observed::Unwired,
        Observed::Flawed(Flaw::NoAddress),
        SILENT,
    ] {
        let Step::Disturb { attempts, due, .. } = step(true, &ready, observed) else {
            panic!("{observed:?} must disturb");
        };
        assert_eq!(
            (attempts, due),
            (0, NOW),
            "it had been ready for long: tried again at once"
        );
    }
}

#[test]
fn the_container_that_is_missing_is_named() {
    let mut ready = instance(Phase::Ready);
    let container = |name: &str| Container {
        instance: ready.id,
        name: name.to_owned(),
        engine: "docker".to_owned(),
        image: "image".to_owned(),
        reference: None,
    };
    ready.containers = vec![container("main"), container("proxy")];
    let absent = Observed::Incomplete {
        place: 1,
        lack: Lack::Absent,
    };
    for (observed, expected) in [
        (
            ENDED_SIDECAR,
            "its container proxy ended with exit code 1; it is started again",
        ),
        (
            absent,
            "its container proxy was removed behind our back; it is made again",
        ),
    ] {
        let Step::Disturb { what, .. } = step(true, &ready, observed) else {
            panic!("{observed:?} must disturb");
        };
        assert_eq!(what, expected);
    }
}

#[test]
fn only_a_container_that_ended_by_itself_has_something_to_say() {
    let ready = instance(Phase::Ready);
    for (observed, place) in [
        (Observed::Stopped { code: Some(1) }, Some(0)),
        (Observed::Stopped { code: None }, None),
        (Observed::Absent, None),
        (Observed::Unwired, None),
        (ENDED_SIDECAR, Some(1)),
    ] {
        let Step::Disturb { ended, .. } = step(true, &ready, observed) else {
            panic!("{observed:?} must disturb");
        };
        assert_eq!(ended, place, "{observed:?}");
    }
}

#[test]
fn one_that_fails_again_and_again_waits_longer_each_time() {
    let mut ready = instance(Phase::Ready);
    ready.changed = NOW;
    ready.attempts = 3;
    let Step::Disturb { attempts, due, .. } = step(true, &ready, Observed::Absent) else {
        panic!()
    };
    assert_eq!((attempts, due), (4, NOW.plus(Duration::from_secs(4))));
}

#[test]
fn one_that_stopped_answering_is_wired_again_before_it_is_restarted() {
    let mut silent = instance(Phase::Ready);
    silent.ready = Some(Timestamp(1));
    let Step::Disturb {
        what, attempts, due, ..
    } = step(true, &silent, SILENT)
    else {
        panic!()
    };
    let told = "stopped answering: it takes no connection, 3 checks in a row; it is wired again";
    assert_eq!((what.as_str(), due), (told, NOW));
    (silent.phase, silent.attempts, silent.due) = (Phase::Pending, attempts, Some(due));
    assert_eq!(step(true, &silent, Observed::Unknown), Step::Provision);
    fail(&mut silent, Shortfall::Silent, NOW);
    silent.due = None;
    assert_eq!(step(true, &silent, Observed::Unknown), Step::Restart { nth: 1 });
}

#[test]
fn one_that_falls_silent_again_soon_goes_on_with_the_next_restart() {
    let mut silent = instance(Phase::Ready);
    (silent.ready, silent.changed, silent.attempts) = (Some(Timestamp(1)), NOW, 2);
    let Step::Disturb { attempts, .. } = step(true, &silent, SILENT) else {
        panic!()
    };
    (silent.phase, silent.attempts) = (Phase::Pending, attempts);
    fail(&mut silent, Shortfall::Silent, NOW);
    silent.due = None;
    assert_eq!(step(true, &silent, Observed::Unknown), Step::Restart { nth: 3 });
}

#[test]
fn what_is_not_the_instance_s_silence_restarts_nothing() {
    for shortfall in [Shortfall::Engine, Shortfall::Other] {
        let mut subject = instance(Phase::Starting);
        (subject.ready, subject.attempts) = (Some(Timestamp(1)), 2);
        fail(&mut subject, shortfall, NOW);
        subject.due = None;
        assert_eq!(
            step(true, &subject, Observed::Unknown),
            Step::Provision,
            "{shortfall:?}"
        );
    }
    assert_eq!(retry(&instance(Phase::Starting), Shortfall::Engine, NOW).attempts, 0);
}

/// Records a failed try as the worker does.
fn fail(subject: &mut Instance, shortfall: Shortfall, now: Timestamp) {
    let Retry { phase, attempts, due } = retry(subject, shortfall, now);
    (subject.phase, subject.attempts, subject.due) = (phase, attempts, Some(due));
}

#[test]
fn waits_double_and_are_bounded() {
    let waits: Vec<u64> = (0..9).map(|attempts| wait_after(attempts).as_secs()).collect();
    assert_eq!(waits, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(wait_after(u32::MAX), LONGEST_WAIT);
}

fn phases() -> impl Strategy<Value = Phase> {
    prop::sample::select(vec![
        Phase::Pending,
        Phase::Starting,
        Phase::Ready,
        Phase::Ending,
        Phase::Stopped,
        Phase::Removing,
        Phase::Removed,
    ])
}

fn sights() -> impl Strategy<Value = Observed> {
    prop::sample::select(vec![
        Observed::Unknown,
        Observed::Absent,
        Observed::Stopped { code: Some(1) },
        Observed::Stopped { code: None },
        ENDED_SIDECAR,
        Observed::Unwired,
        Observed::Flawed(Flaw::Down),
        SILENT,
        Observed::Running,
    ])
}

proptest! {
    /// Nothing but a removal ever follows a removal, whatever is wanted and seen.
    #[test]
    fn there_is_no_way_back_from_removing(wanted: bool, observed in sights(), due in prop::option::of(0i64..2_000_000)) {
        let mut removing = instance(Phase::Removing);
        removing.due = due.map(Timestamp);
        let step = step(wanted, &removing, observed);
        prop_assert!(matches!(step, Step::Remove | Step::RestUntil(_)), "{step:?}");
    }

    /// Whatever is not wanted is gone after its grace: no phase rests for ever without a lease.
    #[test]
    fn what_is_not_wanted_ends(phase in phases(), observed in sights(), answered: bool, due in prop::option::of(0i64..2_000_000)) {
        let mut subject = instance(phase);
        subject.ready = answered.then_some(Timestamp(1));
        subject.due = due.map(Timestamp);
        let mut now = NOW;
        for _ in 0..5 {
            match next(false, Some(&subject), observed, TERMS, now) {
                Step::RestUntil(until) => {
                    prop_assert!(until > now);
                    now = until;
                }
                Step::BeginGrace(until) => {
                    prop_assert!(until > now);
                    (subject.phase, subject.due) = (Phase::Ending, Some(until));
                }
                Step::MarkForRemoval => (subject.phase, subject.due) = (Phase::Removing, None),
                Step::Remove => (subject.phase, subject.due) = (Phase::Removed, None),
                Step::Rest => break,
                other => prop_assert!(false, "{other:?} for what nobody wants"),
            }
        }
        prop_assert_eq!(subject.phase, Phase::Removed);
    }

    /// One that stays silent is restarted just as often as it may be, and is tried again for as long as it is wanted.
    #[test]
    fn restarts_are_bounded_and_tries_are_not(answered: bool, restarts in 0u32..8, tries in 1usize..40) {
        let terms = Terms { restarts, ..TERMS };
        let mut subject = instance(Phase::Ready);
        subject.ready = answered.then_some(Timestamp(1));
        (subject.phase, subject.due) = (Phase::Pending, None);
        let (mut now, mut restarted, mut tried) = (NOW, 0, 0);
        while tried < tries {
            let step = next(true, Some(&subject), Observed::Unknown, terms, now);
            match step {
                Step::RestUntil(until) => {
                    prop_assert!(until > now && until.since(now) <= LONGEST_WAIT);
                    now = until;
                    continue;
                }
                Step::Restart { nth } => {
                    restarted += 1;
                    prop_assert_eq!(nth, restarted);
                }
                Step::Provision => {}
                other => prop_assert!(false, "{other:?}"),
            }
            let follows = restart_after(&subject, terms);
            subject.phase = Phase::Starting;
            fail(&mut subject, Shortfall::Silent, now);
            let due = Some(subject.due.take().unwrap());
            let step = next(true, Some(&subject), Observed::Unknown, terms, now);
            prop_assert_eq!(follows, match step { Step::Restart { nth } => Some(nth), _ => None }, "what is told is done");
            subject.due = due;
            tried += 1;
        }
        let most = if answered { restarts } else { 0 };
        prop_assert_eq!(restarted, most.min(u32::try_from(tries).unwrap() - 1));
    }

    /// Whatever is seen of a ready instance that is wanted, it is left alone only when nothing is known against it.
    #[test]
    fn a_ready_one_is_left_alone_only_when_it_is_well(observed in sights(), changed in 0i64..2_000_000, attempts in 0u32..100) {
        let mut ready = instance(Phase::Ready);
        (ready.changed, ready.attempts) = (Timestamp(changed), attempts);
        let well = matches!(observed, Observed::Running | Observed::Unknown);
        match step(true, &ready, observed) {
            Step::Rest => prop_assert!(well),
            Step::Disturb { due, .. } => prop_assert!(!well && due.since(NOW) <= LONGEST_WAIT),
            other => prop_assert!(false, "{other:?}"),
        }
    }

    /// A wait never lies in the past: the loop that takes the steps cannot spin.
    #[test]
    fn no_wait_is_over_before_it_begins(wanted: bool, phase in phases(), observed in sights(), due in prop::option::of(0i64..2_000_000)) {
        let mut subject = instance(phase);
        subject.due = due.map(Timestamp);
        if let Step::RestUntil(until) = step(wanted, &subject, observed) {
            prop_assert!(until > NOW);
        }
    }
}

#[test]
fn what_is_switched_off_is_stopped_and_rests_whatever_is_seen() {
    let off = |phase| {
        let mut off = instance(phase);
        (off.times.off, off.ready) = (Some(NOW), Some(NOW));
        off
    };
    for phase in [Phase::Pending, Phase::Starting, Phase::Ready] {
        assert_eq!(step(true, &off(phase), Observed::Running), Step::SwitchOff, "{phase}");
    }
    let mut stopped = off(Phase::Stopped);
    assert_eq!(step(true, &stopped, Observed::Unknown), Step::Rest);
    stopped.due = Some(NOW);
    assert_eq!(step(true, &stopped, Observed::Unknown), Step::Stop);
    stopped.due = Some(Timestamp(NOW.0 + 1));
    assert_eq!(
        step(true, &stopped, Observed::Unknown),
        Step::RestUntil(Timestamp(NOW.0 + 1))
    );
    // It outlives its lease as long as one that runs, and its client comes back to what it left.
    stopped.due = None;
    assert_eq!(
        step(false, &stopped, Observed::Unknown),
        Step::BeginKeep(NOW.plus(GRACE))
    );
    stopped.times.kept_until = Some(NOW.plus(GRACE));
    assert_eq!(
        step(false, &stopped, Observed::Unknown),
        Step::RestUntil(NOW.plus(GRACE))
    );
    assert_eq!(step(true, &stopped, Observed::Unknown), Step::SwitchOff);
    stopped.times.kept_until = Some(NOW);
    assert_eq!(step(false, &stopped, Observed::Unknown), Step::MarkForRemoval);
    let none = next(
        false,
        Some(&off(Phase::Stopped)),
        Observed::Unknown,
        Terms::default(),
        NOW,
    );
    assert_eq!(none, Step::MarkForRemoval);
}

#[test]
fn what_was_asked_to_restart_restarts_once_it_is_due() {
    for phase in [Phase::Pending, Phase::Starting, Phase::Ready] {
        let mut asked = instance(phase);
        asked.times.reset = Some(NOW);
        assert_eq!(
            step(true, &asked, Observed::Running),
            Step::Restart { nth: 0 },
            "{phase}"
        );
        // The engine did not answer, and is asked again later.
        asked.due = Some(Timestamp(NOW.0 + 1));
        assert_eq!(
            step(true, &asked, Observed::Running),
            Step::RestUntil(Timestamp(NOW.0 + 1))
        );
    }
}
