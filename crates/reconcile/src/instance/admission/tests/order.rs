//! Whose turn it is, and who has no room in the queue.

use super::super::block::Refusal;
use super::*;

/// A host of one instance, which a stranger has.
fn full() -> (Limits, Admission) {
    let limits = Limits { queue: 6, ..host_of(1) };
    let mut admission = empty(&limits);
    assert!(fill(&mut admission, wish(1000, "other", 0), &limits, NOW));
    (limits, admission)
}

#[test]
fn ports_take_turns_however_many_wait_behind_one() {
    let (limits, mut admission) = full();
    for (client, port, since) in [
        (1, "a", 1),
        (2, "a", 2),
        (3, "a", 3),
        (4, "b", 4),
        (5, "c", 5),
        (6, "c", 6),
    ] {
        admission.ask(wish(client, port, since), &limits, NOW);
    }
    assert_eq!(waiting(&admission), [1, 4, 5, 2, 6, 3]);
}

#[test]
fn addresses_behind_a_port_take_turns() {
    let (limits, mut admission) = full();
    for (client, address, since) in [(1, 1, 1), (2, 1, 2), (3, 1, 3), (4, 2, 4), (5, 3, 5)] {
        admission.ask(wish_of_address(client, "uplink", address, since), &limits, NOW);
    }
    assert_eq!(waiting(&admission), [1, 4, 5, 2, 3]);
}

#[test]
fn who_was_served_last_is_next_last() {
    let (limits, mut admission) = full();
    for (client, port) in [(1, "a"), (2, "a"), (3, "b"), (4, "b")] {
        admission.ask(wish(client, port, i64::from(client)), &limits, NOW);
    }
    admission.removed(id(1000));
    assert_eq!(admission.admit(&limits, NOW), [key(1)]);
    assert_eq!(waiting(&admission), [3, 2, 4], "port b was never served");
    admission.ask(wish(5, "other", 0), &limits, NOW);
    assert_eq!(
        waiting(&admission),
        [3, 5, 2, 4],
        "the stranger was served before port a"
    );
}

#[test]
fn the_queue_is_bounded_and_the_last_of_the_longest_line_gives_way() {
    let (limits, mut admission) = full();
    for client in 1..=6 {
        admission.ask(wish(client, "a", i64::from(client)), &limits, NOW);
    }
    let (answer, _) = admission.ask(wish(7, "a", 0), &limits, NOW);
    assert_eq!(answer, Answer::Refused(Refusal::QueueFull { most: 6 }));
    let (answer, effects) = admission.ask(wish(8, "b", 9), &limits, NOW);
    assert!(matches!(answer, Answer::Waits(_)), "{answer:?}");
    assert_eq!(effects.displaced.map(|request| request.key), Some(key(6)));
    assert_eq!(waiting(&admission), [1, 8, 2, 3, 4, 5]);
}

#[test]
fn what_is_not_wanted_any_more_waits_no_longer() {
    let (limits, mut admission) = full();
    admission.ask(wish(1, "a", 1), &limits, NOW);
    admission.ask(wish(2, "a", 2), &limits, NOW);
    admission.keep_only(&key(1).owner, |_| false);
    assert_eq!(waiting(&admission), [2]);
    admission.begin_reading();
    let recorded = promise(&wish(1000, "other", 0), NOW, true);
    admission.finish_reading(&[recorded], Vec::new(), &limits, NOW);
    assert_eq!(waiting(&admission), [0; 0]);
}

#[test]
fn a_restart_keeps_the_order() {
    let limits = host_of(3);
    let mut admission = empty(&limits);
    let made = [wish(1, "a", 1), wish(2, "b", 2), wish(3, "a", 3)];
    for (later, request) in (0..).zip(made.clone()) {
        assert!(fill(&mut admission, request, &limits, at(later)));
    }
    let wanted: Vec<Request> = [(4, "a", 4), (5, "a", 5), (6, "b", 6), (7, "c", 7), (8, "b", 8)]
        .map(|(client, port, since)| wish(client, port, since))
        .into();
    for request in wanted.clone() {
        admission.ask(request, &limits, at(10));
    }
    let before = waiting(&admission);
    assert_eq!(before, [7, 6, 4, 8, 5]);
    let mut next = Admission::default();
    next.begin_reading();
    let recorded: Vec<_> = (0..)
        .zip(&made)
        .map(|(later, one)| promise(one, at(later), true))
        .collect();
    next.finish_reading(&recorded, wanted.into_iter().rev().collect(), &limits, at(20));
    assert_eq!(waiting(&next), before);
}

#[test]
fn those_that_wait_know_their_place_and_how_long_it_takes() {
    let (limits, mut admission) = full();
    for client in 1..=4 {
        admission.ask(wish(client, "a", i64::from(client)), &limits, at(0));
    }
    assert!(
        admission.places(at(0)).all(|(_, expected, _)| expected.is_none()),
        "nobody knows yet"
    );
    for (later, client) in [(1000, 1000), (2000, 1)] {
        admission.removed(id(client));
        let granted = admission.admit(&limits, at(later));
        let number = number_of(&granted[0]);
        admission.recorded(&granted[0], id(number), at(later), false);
        admission.over(&granted[0]);
    }
    let places: Vec<_> = admission
        .places(at(3000))
        .map(|(place, expected, waiting)| (place, expected.unwrap().as_secs(), number_of(&waiting.request.key)))
        .collect();
    assert_eq!(places, [(1, 1, 3), (2, 2, 4)]);
}

#[test]
fn an_engine_makes_a_few_at_a_time_and_not_all_for_one_port() {
    let limits = Limits {
        making: 4,
        share: 750,
        ..Limits::default()
    };
    let mut admission = empty(&limits);
    let mut granted = 0;
    for client in 0..100 {
        let (answer, _) = admission.ask(wish(client, "attacker", 0), &limits, NOW);
        granted += usize::from(answer == Answer::Granted);
    }
    assert_eq!(granted, 2, "half of them, whatever its part of what is promised");
    for (client, port) in [(200, "b"), (201, "c")] {
        let (answer, _) = admission.ask(wish(client, port, 5), &limits, NOW);
        assert_eq!(answer, Answer::Granted, "its own share");
    }
    assert!(matches!(
        admission.ask(wish(202, "d", 5), &limits, NOW).0,
        Answer::Waits(_)
    ));
    admission.over(&key(0));
    assert_eq!(
        admission.admit(&limits, NOW),
        [key(202)],
        "it goes before all of the attacker's"
    );
}
