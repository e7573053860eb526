//! Every way through the picture, and properties over all of them.

use std::net::Ipv6Addr;

use proptest::prelude::*;

use super::*;
use crate::model::{Id, InstanceSpec, Resources};

const NOW: Timestamp = Timestamp(1_000_000);
const GRACE: Duration = Duration::from_secs(30);

fn instance(phase: Phase) -> Instance {
    Instance {
        id: Id::from_bytes([1; 6]),
        client: Id::from_bytes([2; 6]),
        link: "br0".to_owned(),
        template: "default".to_owned(),
        plugin: "docker".to_owned(),
        spec: InstanceSpec {
            image: "image".to_owned(),
            hostname: "host".to_owned(),
            command: Vec::new(),
            environment: Default::default(),
            environment_from: Default::default(),
            capabilities: Vec::new(),
            resources: Resources::default(),
            labels: Default::default(),
        },
        address: Ipv6Addr::LOCALHOST,
        phase,
        reason: None,
        attempts: 0,
        due: None,
        reference: None,
        created: Timestamp(0),
        ready: None,
        changed: Timestamp(0),
    }
}

fn step(wanted: bool, instance: &Instance, sight: Sight) -> Step {
    next(wanted, Some(instance), sight, GRACE, NOW)
}

#[test]
fn a_lease_makes_an_instance_and_nothing_else_does() {
    assert_eq!(next(true, None, Sight::Unknown, GRACE, NOW), Step::Plan);
    assert_eq!(next(false, None, Sight::Unknown, GRACE, NOW), Step::Rest);
}

#[test]
fn a_pending_one_is_provisioned_when_it_is_due() {
    let mut pending = instance(Phase::Pending);
    assert_eq!(step(true, &pending, Sight::Unknown), Step::Provision);
    pending.due = Some(Timestamp(NOW.0 + 1));
    assert_eq!(
        step(true, &pending, Sight::Unknown),
        Step::RestUntil(Timestamp(NOW.0 + 1))
    );
    pending.due = Some(NOW);
    assert_eq!(step(true, &pending, Sight::Unknown), Step::Provision);
}

#[test]
fn one_that_never_answered_goes_without_grace() {
    assert_eq!(step(false, &instance(Phase::Pending), Sight::Absent), Step::Condemn);
    assert_eq!(step(false, &instance(Phase::Starting), Sight::Running), Step::Condemn);
}

#[test]
fn one_that_answered_has_its_grace() {
    let until = NOW.plus(GRACE);
    assert_eq!(
        step(false, &instance(Phase::Ready), Sight::Running),
        Step::BeginGrace(until)
    );
    let mut disturbed = instance(Phase::Pending);
    disturbed.ready = Some(Timestamp(1));
    assert_eq!(step(false, &disturbed, Sight::Absent), Step::BeginGrace(until));
}

#[test]
fn the_grace_ends_in_time_or_by_the_client_coming_back() {
    let mut ending = instance(Phase::Ending);
    ending.due = Some(Timestamp(NOW.0 + 5));
    assert_eq!(
        step(false, &ending, Sight::Running),
        Step::RestUntil(Timestamp(NOW.0 + 5))
    );
    assert_eq!(step(true, &ending, Sight::Running), Step::Keep);
    ending.due = Some(NOW);
    assert_eq!(step(false, &ending, Sight::Running), Step::Condemn);
}

#[test]
fn what_happens_behind_our_back_is_seen() {
    let ready = instance(Phase::Ready);
    assert_eq!(step(true, &ready, Sight::Running), Step::Rest);
    assert_eq!(step(true, &ready, Sight::Unknown), Step::Rest);
    for sight in [
        Sight::Absent,
        Sight::Stopped { code: Some(137) },
        Sight::Stopped { code: None },
        Sight::Unwired,
    ] {
        let Step::Disturb { attempts, due, .. } = step(true, &ready, sight) else {
            panic!("{sight:?} must disturb");
        };
        assert_eq!(
            (attempts, due),
            (0, NOW),
            "it had been ready for long: tried again at once"
        );
    }
}

#[test]
fn one_that_fails_again_and_again_waits_longer_each_time() {
    let mut ready = instance(Phase::Ready);
    ready.changed = NOW;
    ready.attempts = 3;
    let Step::Disturb { attempts, due, .. } = step(true, &ready, Sight::Absent) else {
        panic!()
    };
    assert_eq!((attempts, due), (4, NOW.plus(Duration::from_secs(4))));
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
        Phase::Removing,
        Phase::Removed,
    ])
}

fn sights() -> impl Strategy<Value = Sight> {
    prop::sample::select(vec![
        Sight::Unknown,
        Sight::Absent,
        Sight::Stopped { code: Some(1) },
        Sight::Stopped { code: None },
        Sight::Unwired,
        Sight::Running,
    ])
}

proptest! {
    /// Nothing but a removal ever follows a removal, whatever is wanted and seen.
    #[test]
    fn there_is_no_way_back_from_removing(wanted: bool, sight in sights(), due in prop::option::of(0i64..2_000_000)) {
        let mut removing = instance(Phase::Removing);
        removing.due = due.map(Timestamp);
        let step = step(wanted, &removing, sight);
        prop_assert!(matches!(step, Step::Remove | Step::RestUntil(_)), "{step:?}");
    }

    /// Whatever is not wanted is gone after its grace: no phase rests for ever without a lease.
    #[test]
    fn what_is_not_wanted_ends(phase in phases(), sight in sights(), answered: bool, due in prop::option::of(0i64..2_000_000)) {
        let mut subject = instance(phase);
        subject.ready = answered.then_some(Timestamp(1));
        subject.due = due.map(Timestamp);
        let mut now = NOW;
        for _ in 0..5 {
            match next(false, Some(&subject), sight, GRACE, now) {
                Step::RestUntil(until) => {
                    prop_assert!(until > now);
                    now = until;
                }
                Step::BeginGrace(until) => {
                    prop_assert!(until > now);
                    (subject.phase, subject.due) = (Phase::Ending, Some(until));
                }
                Step::Condemn => (subject.phase, subject.due) = (Phase::Removing, None),
                Step::Remove => (subject.phase, subject.due) = (Phase::Removed, None),
                Step::Rest => break,
                other => prop_assert!(false, "{other:?} for what nobody wants"),
            }
        }
        prop_assert_eq!(subject.phase, Phase::Removed);
    }

    /// A wait never lies in the past: the loop that takes the steps cannot spin.
    #[test]
    fn no_wait_is_over_before_it_begins(wanted: bool, phase in phases(), sight in sights(), due in prop::option::of(0i64..2_000_000)) {
        let mut subject = instance(phase);
        subject.due = due.map(Timestamp);
        if let Step::RestUntil(until) = step(wanted, &subject, sight) {
            prop_assert!(until > NOW);
        }
    }
}
