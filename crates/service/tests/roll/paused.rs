//! A roll that an operator paused.

use std::time::Duration;

use orchestrator_service::Strategy;
use orchestrator_service::health::Health;
use orchestrator_service::roll::{Wait, next};

use crate::world::{World, log};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_paused_roll_stays_as_it_is_and_lost_slots_are_filled_by_the_good_version() {
    let mut world = World::deployed(2, Strategy::default());
    world.deploy(2, false);
    world.roll();
    world.situation.paused = true;
    world.tick();
    world.log.clear();
    assert!(log(&mut world).is_empty());
    assert!(next(&world.situation).waits.contains(&Wait::Resume));
    for number in [0, 1] {
        world.change(number, |slot| {
            (slot.health, slot.connections) = (Health::Failing, None);
        });
    }
    assert_eq!(log(&mut world), ["failed", "drain 0: failed"]);
    world.advance(SECOND);
    assert_eq!(
        log(&mut world),
        ["failed", "drain 1: failed"],
        "it counts until it is gone"
    );
    world.publish();
    world.route();
    assert_eq!(log(&mut world), ["close 0: Room", "open 0 v1"]);
    world.situation.paused = false;
    world.settle();
    assert!(world.situation.slots.iter().all(|slot| slot.version == 2));
}

#[test]
fn a_failure_counts_before_the_version_is_judged() {
    let mut world = World::new(1, Strategy::default());
    assert_eq!(log(&mut world), ["open 0 v1"]);
    world.deploy(2, false);
    assert_eq!(log(&mut world), ["open 1 v2"]);
    world.situation.paused = true;
    world.bring_up(1);
    world.publish();
    world.route();
    world.change(0, |slot| slot.health = Health::Failing);
    assert_eq!(log(&mut world), ["failed", "drain 0: failed"]);
    assert_eq!(
        world.situation.good, None,
        "a failure is on record: it must first have served for long enough"
    );
    world.prove();
    assert_eq!(world.situation.good, Some(2));
}
