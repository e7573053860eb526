//! Instances that pass their checks and die soon afterwards, again and again.

use std::time::Duration;

use orchestrator_model::Phase;
use orchestrator_service::health::Health;
use orchestrator_service::roll::{Move, Wait, next};
use orchestrator_service::{RollOrder, Strategy};

use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);

/// How an instance ends.
#[derive(Debug, Clone, Copy)]
enum Death {
    /// Its process ended, and the tries to start it again are used up.
    Ended,
    /// It runs, its checks fail, and nobody counts its connections.
    ChecksFail,
}

const DEATHS: [Death; 2] = [Death::Ended, Death::ChecksFail];

/// One second, in which instances of this version that have served for four seconds die. Returns the answer's moves.
fn second(world: &mut World, version: u64, death: Death) -> Vec<Move> {
    let now = world.situation.now;
    let slots = world.situation.slots.iter();
    let old = slots.filter(|slot| slot.version == version && slot.serves() && now >= slot.since.plus(SECOND * 4));
    for number in old.map(|slot| slot.number).collect::<Vec<_>>() {
        world.change(number, |slot| match death {
            Death::Ended => (slot.phase, slot.health, slot.attempts) = (Some(Phase::Pending), Health::Unknown, 3),
            Death::ChecksFail => (slot.health, slot.connections) = (Health::Failing, None),
        });
    }
    let moves = world.roll().moves;
    let slots = world.situation.slots.iter();
    let new = slots.filter(|slot| slot.phase.is_none()).map(|slot| slot.number);
    for number in new.collect::<Vec<_>>() {
        world.bring_up(number);
    }
    world.publish();
    world.route();
    world.advance(SECOND);
    moves
}

#[test]
fn a_version_that_dies_after_it_served_is_rolled_back_with_the_reason() {
    for death in DEATHS {
        for drain in [SECOND * 30, Duration::ZERO] {
            let strategy = Strategy {
                drain,
                ..Strategy::default()
            };
            let mut world = World::deployed(1, strategy);
            // Somebody is connected to the version that served.
            world.slot(0).connections = None;
            world.deploy(2, false);
            let (mut seconds, mut reasons, mut most) = (0, Vec::new(), 0);
            while world.situation.target.version == 2 && seconds < 120 {
                let moves = second(&mut world, 2, death);
                reasons.extend(moves.into_iter().filter_map(|one| match one {
                    Move::GiveUp { reason, .. } => Some(reason),
                    _ => None,
                }));
                most = most.max(world.situation.slots.len());
                assert_eq!(world.situation.good, Some(1), "{death:?}: {:?}", world.log);
                seconds += 1;
            }
            assert_eq!(world.situation.target.version, 1, "{death:?}: {:?}", world.log);
            assert!(seconds < 60, "{death:?}: after {seconds} seconds");
            assert!(most <= 2, "{death:?}: {most} stood for one");
            let [reason] = &reasons[..] else {
                panic!("{death:?}: {reasons:?}");
            };
            assert!(
                reason.starts_with("3 of its instances failed in a row, the last one was"),
                "{reason}"
            );
            world.settle();
            assert_eq!(world.serving(), 1);
        }
    }
}

#[test]
fn a_version_given_up_is_not_good_as_long_as_it_dies_soon() {
    for death in DEATHS {
        let mut world = World::new(2, Strategy::default());
        world.broken.insert(1);
        world.settle();
        assert_eq!(world.situation.given_up, Some(1));
        world.broken.clear();
        for _ in 0..600 {
            second(&mut world, 1, death);
            assert!(world.situation.slots.len() <= 3, "{death:?}");
            assert_eq!(
                (world.situation.good, world.situation.given_up),
                (None, Some(1)),
                "{death:?}"
            );
        }
        assert!(world.situation.failures.in_a_row > 3, "{death:?}");
    }
}

#[test]
fn a_good_version_that_begins_to_die_is_replaced_with_growing_pauses() {
    for death in DEATHS {
        for order in [RollOrder::StartFirst, RollOrder::StopFirst] {
            let strategy = Strategy {
                order,
                ..Strategy::default()
            };
            let mut world = World::deployed(1, strategy);
            for _ in 0..600 {
                second(&mut world, 1, death);
                let most = if order == RollOrder::StartFirst { 2 } else { 1 };
                assert!(world.situation.slots.len() <= most, "{death:?}");
            }
            let opened = world.log.iter().filter(|line| line.starts_with("open")).count();
            assert!((5..=12).contains(&opened), "{death:?}: {opened} in ten minutes");
            let failures = world.situation.failures.in_a_row;
            assert!(failures >= 8, "{death:?}: {failures}");
            assert_eq!(world.situation.target.version, 1, "there is nothing to go back to");
            let waits = next(&world.situation).waits;
            let is_told = |wait: &Wait| matches!(wait, Wait::BackOff { failures: told, .. } if *told == failures);
            assert!(waits.iter().any(is_told), "{death:?}: {waits:?}");
        }
    }
}

#[test]
fn failures_are_forgotten_when_a_replacement_has_served_steadily() {
    let mut world = World::deployed(1, Strategy::default());
    for _ in 0..20 {
        second(&mut world, 1, Death::Ended);
    }
    assert!(world.situation.failures.in_a_row > 1);
    world.settle();
    assert!(world.situation.failures.in_a_row > 1, "it has only just begun to serve");
    for _ in 0..31 {
        world.roll();
        world.tick();
    }
    assert_eq!(world.situation.failures.in_a_row, 0);
}

#[test]
fn many_that_fail_one_by_one_after_long_lives_do_not_wait_longer_each_time() {
    let mut world = World::deployed(50, Strategy::default());
    world.advance(SECOND * 3600);
    for _ in 0..200 {
        let oldest = world
            .situation
            .slots
            .iter()
            .filter(|slot| slot.serves())
            .min_by_key(|slot| slot.opened);
        let oldest = oldest.unwrap().number;
        world.change(oldest, |slot| slot.health = Health::Failing);
        for _ in 0..5 {
            world.roll();
            world.tick();
        }
        assert!(
            world.serving() >= 49,
            "{} serve: {:?}",
            world.serving(),
            world.situation.failures
        );
    }
    assert!(world.situation.failures.in_a_row <= 1);
}
