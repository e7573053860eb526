//! Single situations, and every move in its order.

use std::time::Duration;

use orchestrator_model::Phase;
use orchestrator_service::health::Health;
use orchestrator_service::roll::{Move, Moves, Removal, Wait, back_off, next};
use orchestrator_service::{RollOrder, Strategy};

use crate::world::{World, log};

const SECOND: Duration = Duration::from_secs(1);

fn stop_first() -> Strategy {
    Strategy {
        order: RollOrder::StopFirst,
        ..Strategy::default()
    }
}

#[test]
fn an_instance_is_replaced_in_the_order_that_loses_no_request() {
    let mut world = World::deployed(2, Strategy::default());
    world.deploy(2, false);
    assert_eq!(log(&mut world), ["open 2 v2"]);
    world.bring_up(2);
    assert!(log(&mut world).is_empty(), "no router leads to the new one");
    world.publish();
    assert!(log(&mut world).is_empty(), "a snapshot that was sent is not applied");
    assert_eq!(next(&world.situation).waits, [Wait::Routed { slot: 2 }]);
    world.route();
    assert_eq!(log(&mut world), ["drain 1: replaced"]);
    world.slot(1).connections = Some(7);
    assert!(log(&mut world).is_empty(), "the routers still lead to the old one");
    world.publish();
    world.route();
    assert!(log(&mut world).is_empty(), "its connections are waited for");
    assert!(matches!(
        next(&world.situation).waits[..],
        [Wait::Connections {
            slot: 1,
            left: Some(7),
            ..
        }]
    ));
    world.slot(1).connections = Some(0);
    assert_eq!(log(&mut world), ["close 1: Drained", "open 1 v2"]);
    world.bring_up(1);
    world.publish();
    world.route();
    assert_eq!(log(&mut world), ["drain 0: replaced"]);
    assert!(!next(&world.situation).settled, "an old one still drains");
    world.publish();
    world.route();
    assert_eq!(log(&mut world), ["close 0: Drained"]);
    let answer = next(&world.situation);
    assert!(answer.settled, "no operation waits until the version is good");
    world.situation.now = answer.wake.unwrap();
    assert_eq!(log(&mut world), ["v2 is good"]);
    assert_eq!(
        next(&world.situation),
        Moves {
            settled: true,
            ..Moves::default()
        }
    );
}

#[test]
fn the_deadline_ends_the_wait_for_connections_but_not_that_for_routers() {
    let mut world = World::deployed(1, Strategy::default());
    world.deploy(2, false);
    world.roll();
    world.bring_up(1);
    world.publish();
    world.route();
    world.roll();
    world.slot(0).connections = Some(3);
    world.log.clear();
    world.advance(SECOND * 40);
    assert_eq!(log(&mut world), ["v2 is good"], "a router leads to the old one");
    world.publish();
    world.route();
    assert_eq!(log(&mut world), ["close 0: Deadline"]);
}

#[test]
fn connections_that_nobody_counts_are_waited_for_until_the_deadline() {
    let mut world = World::deployed(2, Strategy::default());
    world.situation.target.count = 1;
    assert_eq!(log(&mut world), ["drain 1: surplus"]);
    world.slot(1).connections = None;
    world.publish();
    world.route();
    assert!(log(&mut world).is_empty());
    world.advance(SECOND * 30);
    assert_eq!(log(&mut world), ["close 1: Deadline"]);
}

#[test]
fn one_that_never_passed_has_no_connections_to_wait_for() {
    let mut world = World::new(1, Strategy::default());
    world.roll();
    world.change(0, |slot| (slot.phase, slot.connections) = (Some(Phase::Ready), None));
    world.situation.target.count = 0;
    world.roll();
    world.publish();
    world.route();
    world.log.clear();
    assert_eq!(log(&mut world), ["close 0: Drained"]);
}

#[test]
fn stop_first_makes_the_new_one_when_the_old_one_is_gone() {
    let mut world = World::deployed(2, stop_first());
    world.deploy(2, false);
    assert_eq!(log(&mut world), ["drain 1: replaced"]);
    assert!(log(&mut world).is_empty());
    world.publish();
    world.route();
    assert_eq!(log(&mut world), ["close 1: Drained", "open 1 v2"]);
    world.bring_up(1);
    assert!(log(&mut world).is_empty(), "no router leads to the new one");
    world.publish();
    world.route();
    assert_eq!(log(&mut world), ["drain 0: replaced"]);
}

#[test]
fn a_surge_replaces_several_at_once() {
    let surge = Strategy {
        surge: 2,
        ..Strategy::default()
    };
    let mut world = World::deployed(3, surge);
    world.deploy(2, false);
    assert_eq!(log(&mut world), ["open 3 v2", "open 4 v2"]);
    world.tick();
    assert_eq!(log(&mut world), ["drain 2: replaced", "drain 1: replaced"]);
}

#[test]
fn a_pause_is_between_two_steps() {
    let pausing = Strategy {
        pause: SECOND * 10,
        ..Strategy::default()
    };
    let mut world = World::deployed(2, pausing);
    world.deploy(2, false);
    world.advance(SECOND * 20);
    world.roll();
    world.tick();
    world.roll();
    world.tick();
    world.log.clear();
    assert_eq!(log(&mut world), ["close 1: Drained"]);
    let answer = next(&world.situation);
    assert!(matches!(answer.waits[..], [Wait::Pause { .. }]), "{answer:?}");
    world.situation.now = answer.wake.unwrap();
    assert_eq!(log(&mut world), ["open 1 v2"], "the number is free again");
}

#[test]
fn a_failing_version_is_given_up_with_the_reason_and_the_good_one_comes_back() {
    let mut world = World::deployed(2, Strategy::default());
    world.deploy(2, true);
    for _ in 0..600 {
        world.roll();
        if world.situation.target.version == 1 {
            break;
        }
        world.tick();
        assert_eq!(world.serving(), 2);
    }
    let gave_up: Vec<&str> = world
        .log
        .iter()
        .map(String::as_str)
        .filter(|line| !line.starts_with("close"))
        .collect();
    assert_eq!(
        gave_up,
        [
            "open 2 v2",
            "failed",
            "drain 2: failed",
            "open 2 v2",
            "failed",
            "drain 2: failed",
            "open 2 v2",
            "failed",
            "give up for Some(1)",
            "drain 2: failed"
        ]
    );
    world.settle();
    assert!(world.situation.slots.iter().all(|slot| slot.version == 1));
}

#[test]
fn giving_up_says_what_failed() {
    let mut world = World::deployed(
        1,
        Strategy {
            failures: 1,
            ..Strategy::default()
        },
    );
    world.deploy(2, true);
    world.roll();
    world.slot(1).reason = Some("the image is missing".to_owned());
    world.advance(SECOND * 60);
    let moves = next(&world.situation).moves;
    let [
        Move::Failed { .. },
        Move::GiveUp {
            version: 2,
            back_to: Some(1),
            reason,
        },
    ] = &moves[..]
    else {
        panic!("{moves:?}");
    };
    assert_eq!(
        reason,
        "1 of its instances failed in a row, the last one was slot 1 of version 2: it does not serve after 1m: \
         the image is missing"
    );
}

#[test]
fn a_version_without_a_host_is_given_up_when_its_time_is_over_and_its_slot_is_not_replaced() {
    let mut world = World::deployed(2, Strategy::default());
    world.set_host(2, false);
    world.deploy(2, false);
    assert_eq!(log(&mut world), ["open 2 v2"]);
    let answer = next(&world.situation);
    assert!(matches!(&answer.waits[..], [Wait::Host { slot: 2, .. }]), "{answer:?}");
    world.advance(SECOND * 59);
    assert!(log(&mut world).is_empty());
    world.situation.now = answer.wake.unwrap();
    let moves = next(&world.situation).moves;
    let [Move::GiveUp { reason, .. }] = &moves[..] else {
        panic!("{moves:?}");
    };
    assert_eq!(
        reason,
        "slot 2 of version 2 has no host after 1m: no host has the role public"
    );
    assert_eq!(log(&mut world), ["give up for Some(1)", "drain 2: replaced"]);
    assert_eq!(world.situation.failures.in_a_row, 0, "nothing has failed");
}

#[test]
fn a_first_version_without_a_host_goes_on_by_itself_when_one_comes() {
    let mut world = World::new(2, Strategy::default());
    world.set_host(1, false);
    assert_eq!(log(&mut world), ["open 0 v1", "open 1 v1"]);
    world.advance(SECOND * 60);
    assert_eq!(log(&mut world), ["give up for None"]);
    world.advance(SECOND * 3600);
    assert!(log(&mut world).is_empty());
    assert_eq!(next(&world.situation).wake, None, "time changes nothing");
    world.set_host(1, true);
    world.settle();
    world.prove();
    assert_eq!((world.serving(), world.situation.given_up), (2, None));
    assert!(!world.log.iter().any(|line| line.contains("drain")), "{:?}", world.log);
}

#[test]
fn old_slots_without_a_host_make_room_for_a_version_that_has_one() {
    for strategy in [Strategy::default(), stop_first()] {
        let mut world = World::new(2, strategy);
        world.set_host(1, false);
        world.roll();
        world.advance(SECOND * 60);
        world.roll();
        world.deploy(2, false);
        world.settle();
        world.prove();
        assert_eq!((world.serving(), world.situation.good), (2, Some(2)), "{:?}", world.log);
    }
}

#[test]
fn a_first_version_that_fails_is_given_up_and_tried_again_slowly() {
    let mut world = World::new(1, Strategy::default());
    world.broken.insert(1);
    let mut opened = Vec::new();
    for second in 0..3600 {
        let answer = world.roll();
        opened.extend(
            answer
                .moves
                .iter()
                .any(|one| matches!(one, Move::Open { .. }))
                .then_some(second),
        );
        world.tick();
    }
    assert_eq!(world.situation.given_up, Some(1));
    assert_eq!(world.log.iter().filter(|line| line.starts_with("give up")).count(), 1);
    let last = &opened[opened.len() - 2..];
    assert!(last[1] - last[0] >= 300, "{opened:?}");
    world.broken.clear();
    world.tick();
    for _ in 0..1000 {
        world.roll();
        world.tick();
    }
    assert_eq!((world.situation.good, world.situation.failures.in_a_row), (Some(1), 0));
}

#[test]
fn a_failing_instance_of_the_good_version_is_replaced_with_growing_pauses() {
    let mut world = World::deployed(2, Strategy::default());
    let mut at = Vec::new();
    for second in 0..400 {
        // Slot 0 serves; every other one passes for a moment, and fails then.
        let numbers: Vec<u32> = world
            .situation
            .slots
            .iter()
            .map(|slot| slot.number)
            .filter(|number| *number > 0)
            .collect();
        for number in numbers {
            world.bring_up(number);
            world.change(number, |slot| slot.health = Health::Failing);
        }
        world.publish();
        world.route();
        let answer = world.roll();
        at.extend(
            answer
                .moves
                .iter()
                .any(|one| matches!(one, Move::Failed { .. }))
                .then_some(second),
        );
        world.advance(SECOND);
        assert!(world.serving() >= 1);
    }
    let pauses: Vec<i32> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128]);
    assert_eq!(world.situation.target.version, 1, "a good version is not given up");
    let failures = world.situation.failures.in_a_row;
    assert!(
        next(&world.situation)
            .waits
            .iter()
            .any(|wait| matches!(wait, Wait::BackOff { failures: shown, .. } if *shown == failures))
    );
    world.settle();
    for _ in 0..400 {
        world.roll();
        world.tick();
    }
    assert_eq!(world.situation.failures.in_a_row, 0, "success resets the failures");
}

#[test]
fn one_that_recovers_by_itself_during_the_pause_is_kept() {
    let mut world = World::deployed(2, Strategy::default());
    for number in [0, 1] {
        world.change(number, |slot| slot.health = Health::Failing);
    }
    assert_eq!(log(&mut world), ["failed", "drain 0: failed", "open 2 v1"]);
    world.change(1, |slot| slot.health = Health::Passing);
    world.advance(SECOND * 5);
    assert!(log(&mut world).iter().all(|line| !line.contains("drain 1")));
}

#[test]
fn a_dead_instance_has_time_to_come_back() {
    let mut world = World::deployed(1, Strategy::default());
    world.crash(0);
    assert!(log(&mut world).is_empty());
    assert_eq!(next(&world.situation).wake, Some(world.situation.now.plus(SECOND * 60)));
    world.advance(SECOND * 60);
    assert_eq!(log(&mut world), ["failed", "drain 0: failed", "open 1 v1"]);
}

#[test]
fn one_that_cannot_be_brought_up_is_replaced_before_its_time_is_over() {
    let mut world = World::deployed(1, Strategy::default());
    for _ in 0..3 {
        world.crash(0);
    }
    assert_eq!(log(&mut world), ["failed", "drain 0: failed", "open 1 v1"]);
}

#[test]
fn the_newest_or_the_oldest_go_first() {
    for (removal, gone) in [(Removal::Newest, [2, 1]), (Removal::Oldest, [0, 1])] {
        let mut world = World::deployed(1, Strategy::default());
        for count in [2, 3] {
            world.situation.target.count = count;
            world.settle();
        }
        world.situation.removal = removal;
        world.situation.target.count = 1;
        world.log.clear();
        assert_eq!(log(&mut world), gone.map(|slot| format!("drain {slot}: surplus")));
    }
}

#[test]
fn those_that_do_not_serve_go_before_those_that_do() {
    let mut world = World::deployed(3, Strategy::default());
    world.crash(0);
    world.publish();
    world.route();
    world.situation.target.count = 2;
    assert_eq!(log(&mut world), ["drain 0: surplus"]);
}

#[test]
fn one_that_is_switched_off_is_no_failure() {
    let mut world = World::deployed(2, Strategy::default());
    world.change(1, |slot| slot.off = true);
    world.advance(SECOND * 600);
    assert!(log(&mut world).is_empty());
    let answer = next(&world.situation);
    assert!(
        answer.settled && answer.waits == [Wait::SwitchedOff { slot: 1 }],
        "{answer:?}"
    );
    world.deploy(2, false);
    world.settle();
    assert!(world.situation.slots.iter().all(|slot| slot.version == 2));
}

#[test]
fn a_service_without_instances_proves_no_version() {
    let mut world = World::deployed(0, Strategy::default());
    world.deploy(2, false);
    assert!(world.roll().settled);
    assert_eq!(world.situation.good, None);
    world.situation.target.count = 1;
    world.settle();
    world.prove();
    assert_eq!(world.situation.good, Some(2));
    world.situation.target.count = 0;
    world.settle();
    assert!(world.situation.slots.is_empty());
}

#[test]
fn pauses_after_failures_double_up_to_five_minutes() {
    let seconds = [0, 1, 2, 3, 9, 10, 40, u32::MAX].map(|failures| back_off(failures).as_secs());
    assert_eq!(seconds, [0, 1, 2, 4, 256, 300, 300, 300]);
}
