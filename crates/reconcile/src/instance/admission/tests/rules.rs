//! Each limit, and what it says.

use super::super::block::{Block, Refusal, Resource};
use super::super::budget::Lack;
use super::*;
use orchestrator_model::PauseScope;

/// What a client waits for.
fn block(answer: Answer) -> Block {
    match answer {
        Answer::Waits(block) => block,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_host_has_others_wait_and_a_removal_frees_a_place_at_once() {
    let limits = host_of(2);
    let mut admission = empty(&limits);
    assert!(fill(&mut admission, wish(1, "a", 0), &limits, NOW));
    assert!(fill(&mut admission, wish(2, "b", 0), &limits, NOW));
    let (answer, _) = admission.ask(wish(3, "c", 0), &limits, NOW);
    let expected = Block::Host {
        host: HostId::local(),
        resource: Resource::Instances,
        lack: Lack::Whole,
    };
    assert_eq!(block(answer), expected);
    assert!(admission.admit(&limits, NOW).is_empty());
    admission.removed(id(1));
    assert_eq!(admission.admit(&limits, NOW), [key(3)]);
}

#[test]
fn what_is_granted_and_not_recorded_yet_is_promised() {
    let limits = host_of(1);
    let mut admission = empty(&limits);
    assert_eq!(admission.ask(wish(1, "a", 0), &limits, NOW).0, Answer::Granted);
    assert!(matches!(
        admission.ask(wish(2, "b", 0), &limits, NOW).0,
        Answer::Waits(_)
    ));
    assert_eq!(
        admission.ask(wish(1, "a", 0), &limits, NOW).0,
        Answer::Granted,
        "it asks again"
    );
    admission.over(&key(1));
    assert_eq!(
        admission.admit(&limits, NOW),
        [key(2)],
        "the first was not made after all"
    );
}

#[test]
fn memory_processors_and_processes_are_promised_only_once() {
    let of = |memory, millicpus, pids| {
        let host = HostLimits {
            instances: None,
            memory,
            millicpus,
            pids,
            ..HostLimits::default()
        };
        Limits {
            hosts: [(HostId::local(), host)].into(),
            ..Limits::default()
        }
    };
    for (limits, resource) in [
        (of(Some(199), None, None), Resource::Memory),
        (of(None, Some(999), None), Resource::Processors),
        (of(None, None, Some(19)), Resource::Pids),
    ] {
        let mut admission = empty(&limits);
        assert!(fill(&mut admission, wish(1, "a", 0), &limits, NOW));
        match block(admission.ask(wish(2, "b", 0), &limits, NOW).0) {
            Block::Host { resource: found, .. } => assert_eq!(found, resource),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn link_template_client_and_port_have_their_own_limits() {
    let template = Limits {
        templates: [("web".to_owned(), 1)].into(),
        ..Limits::default()
    };
    let link = |limits| link_of(LinkLimits { ..limits });
    let cases = [
        (template, 2, "b", "template-instances"),
        (
            link(LinkLimits {
                instances: Some(1),
                ..OPEN
            }),
            2,
            "b",
            "link-instances",
        ),
        (
            link(LinkLimits {
                port_instances: Some(1),
                ..OPEN
            }),
            2,
            "a",
            "port-instances",
        ),
    ];
    for (limits, client, port, code) in cases {
        let mut admission = empty(&limits);
        assert!(fill(&mut admission, wish(1, "a", 0), &limits, NOW));
        assert_eq!(block(admission.ask(wish(client, port, 0), &limits, NOW).0).code(), code);
    }
    let of_client = Limits {
        client_instances: Some(1),
        ..Limits::default()
    };
    let mut admission = empty(&of_client);
    assert!(fill(&mut admission, wish(1, "a", 0), &of_client, NOW));
    let mut second = wish(1, "a", 0);
    second.key.slot = Slot::new("shell");
    assert_eq!(
        block(admission.ask(second, &of_client, NOW).0).code(),
        "client-instances"
    );
    assert!(fill(&mut admission, wish(2, "a", 0), &of_client, NOW), "another client");
}

#[test]
fn creations_are_counted_over_a_minute_and_removed_instances_among_them() {
    let limits = link_of(LinkLimits {
        creations: Some(2),
        ..OPEN
    });
    let mut admission = empty(&limits);
    assert!(fill(&mut admission, wish(1, "a", 0), &limits, at(0)));
    assert!(fill(&mut admission, wish(2, "b", 0), &limits, at(10_000)));
    admission.removed(id(1));
    let block = block(admission.ask(wish(3, "c", 0), &limits, at(20_000)).0);
    assert!(
        matches!(&block, Block::Rate { until, .. } if *until == Some(at(60_000))),
        "{block:?}"
    );
    assert_eq!(admission.next_due(), Some(at(60_000)));
    assert!(admission.admit(&limits, at(59_999)).is_empty());
    assert_eq!(admission.admit(&limits, at(60_000)), [key(3)]);
}

#[test]
fn a_client_that_comes_and_goes_is_slowed_down_alone() {
    let limits = Limits {
        client_creations: Some(1),
        ..Limits::default()
    };
    let mut admission = empty(&limits);
    assert!(fill(&mut admission, wish(1, "a", 0), &limits, at(0)));
    admission.removed(id(1));
    assert_eq!(
        block(admission.ask(wish(1, "a", 0), &limits, at(1)).0).code(),
        "creations"
    );
    assert!(fill(&mut admission, wish(2, "a", 0), &limits, at(1)));
}

#[test]
fn what_is_paused_waits_and_the_rest_goes_on() {
    let paused = Limits {
        paused: vec![PauseScope::Template("web".to_owned())],
        ..Limits::default()
    };
    let mut admission = empty(&paused);
    assert_eq!(block(admission.ask(wish(1, "a", 0), &paused, NOW).0).code(), "paused");
    let mut other = wish(2, "a", 0);
    other.claim.template = "shell".to_owned();
    assert_eq!(admission.ask(other, &paused, NOW).0, Answer::Granted);
    admission.limits_changed();
    assert_eq!(admission.admit(&Limits::default(), NOW), [key(1)]);
}

#[test]
fn a_client_behind_an_instance_gets_none_and_a_template_larger_than_the_host_neither() {
    let mut admission = empty(&Limits::default());
    let (answer, _) = admission.ask(wish(1, "or0123456789ab", 0), &Limits::default(), NOW);
    assert_eq!(answer, Answer::Refused(Refusal::FromInstance));
    let none = host_of(0);
    let (answer, _) = admission.ask(wish(1, "a", 0), &none, NOW);
    assert!(
        matches!(answer, Answer::Refused(Refusal::TooLarge { .. })),
        "{answer:?}"
    );
    assert_eq!(admission.queue.len(), 0);
}

#[test]
fn nothing_is_granted_before_what_is_recorded_was_read() {
    let limits = host_of(1);
    let mut admission = Admission::default();
    assert_eq!(block(admission.ask(wish(2, "b", 0), &limits, NOW).0), Block::Reading);
    admission.begin_reading();
    let recorded = promise(&wish(1, "a", 0), NOW, true);
    admission.finish_reading(&[recorded], vec![wish(2, "b", 0)], &limits, NOW);
    assert!(admission.admit(&limits, NOW).is_empty(), "the host is full");
}

#[test]
fn what_happens_while_the_record_is_read_is_not_lost() {
    let limits = host_of(2);
    let mut admission = empty(&limits);
    assert!(fill(&mut admission, wish(1, "a", 0), &limits, NOW));
    let before = promise(&wish(1, "a", 0), NOW, true);
    admission.begin_reading();
    admission.removed(id(1));
    assert!(fill(&mut admission, wish(2, "b", 0), &limits, NOW));
    admission.finish_reading(&[before], Vec::new(), &limits, NOW);
    assert!(
        fill(&mut admission, wish(3, "c", 0), &limits, NOW),
        "the first is removed"
    );
    assert!(
        !fill(&mut admission, wish(4, "d", 0), &limits, NOW),
        "the second was recorded"
    );
}

#[test]
fn an_instance_of_which_nobody_knows_whether_it_is_recorded_keeps_its_place_for_a_while() {
    let limits = host_of(1);
    let mut admission = empty(&limits);
    assert_eq!(admission.ask(wish(1, "a", 0), &limits, NOW).0, Answer::Granted);
    admission.recorded(&key(1), id(1), NOW, true);
    admission.over(&key(1));
    for (later, free) in [(0, false), (59_999, false), (60_000, true)] {
        admission.begin_reading();
        admission.finish_reading(&[], vec![wish(2, "b", 0)], &limits, at(later));
        assert_eq!(admission.admit(&limits, at(later)).len(), usize::from(free), "{later}");
    }
}

#[test]
fn a_slot_that_is_placed_on_another_host_is_asked_anew_and_counts_there_alone() {
    let limits = host_of(2);
    let (here, there) = (HostId::local(), HostId::new("there"));
    let mut admission = empty(&limits);
    assert_eq!(admission.ask(wish(1, "a", 0), &limits, NOW).0, Answer::Granted);
    let mut moved = wish(1, "a", 0);
    moved.claim.host = there.clone();
    assert_eq!(admission.ask(moved, &limits, NOW).0, Answer::Granted);
    let carried = |admission: &Admission, host| admission.load(host, None, Size::default(), &limits).0;
    assert_eq!((carried(&admission, &here), carried(&admission, &there)), (0, 1));
    admission.over(&key(1));
    assert_eq!((carried(&admission, &here), carried(&admission, &there)), (0, 0));
}

#[test]
fn a_slot_that_is_not_wanted_any_more_waits_no_longer() {
    let limits = host_of(1);
    let mut admission = empty(&limits);
    assert!(fill(&mut admission, wish(1, "a", 0), &limits, NOW));
    for client in [2, 3] {
        block(admission.ask(wish(client, "a", 0), &limits, NOW).0);
    }
    admission.leave(&key(2));
    admission.removed(id(1));
    assert_eq!(admission.admit(&limits, NOW), [key(3)]);
}

#[test]
fn what_a_host_carries_leaves_out_the_place_that_the_slot_has() {
    let limits = host_of(2);
    let mut admission = empty(&limits);
    assert!(fill(&mut admission, wish(1, "a", 0), &limits, NOW));
    assert_eq!(admission.ask(wish(2, "b", 0), &limits, NOW).0, Answer::Granted);
    assert_eq!(admission.granted(&key(2).owner), [key(2).slot].into());
    assert!(admission.granted(&key(1).owner).is_empty(), "it is recorded");
    let (host, size) = (HostId::local(), Size::default());
    assert_eq!(admission.load(&host, None, size, &limits), (2, true));
    assert_eq!(
        admission.load(&host, Some(&key(1)), size, &limits),
        (2, true),
        "it is recorded"
    );
    assert_eq!(admission.load(&host, Some(&key(2)), size, &limits), (1, false));
    assert_eq!(
        admission.load(&HostId::new("there"), Some(&key(2)), size, &limits),
        (0, false)
    );
}

#[test]
fn a_host_is_full_as_soon_as_one_of_its_limits_is_exceeded() {
    let of = |memory, pids, disk| {
        let host = HostLimits {
            memory,
            pids,
            disk,
            ..HostLimits::default()
        };
        Limits {
            hosts: [(HostId::local(), host)].into(),
            ..Limits::default()
        }
    };
    let admission = |limits: &Limits| {
        let mut admission = empty(limits);
        assert!(fill(&mut admission, wish(1, "a", 0), limits, NOW));
        admission
    };
    // An instance has 100 bytes of memory, 10 processes and 1000 bytes of disk.
    let size = wish(2, "b", 0).claim.size;
    for (limits, is_full) in [
        (of(None, None, None), false),
        (of(Some(200), Some(20), Some(2000)), false),
        (of(Some(199), None, None), true),
        (of(None, Some(19), None), true),
        (of(Some(200), Some(20), Some(1999)), true),
    ] {
        let loads = admission(&limits).load(&HostId::local(), None, size, &limits);
        assert_eq!(loads, (1, is_full), "{limits:?}");
    }
}
