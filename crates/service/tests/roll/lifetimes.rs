//! Instances whose lifetime ends.

use std::time::Duration;

use orchestrator_service::roll::next;
use orchestrator_service::{RollOrder, Strategy};

use crate::world::World;

const MINUTE: Duration = Duration::from_secs(60);

/// Lets seconds pass, and returns how many slots were drained because their instances end. No wanted one ever ends.
fn live(world: &mut World, seconds: u32, least: usize) -> usize {
    world.log.clear();
    for _ in 0..seconds {
        world.roll();
        world.tick();
        let now = world.situation.now;
        let slots = world.situation.slots.iter();
        let ended = slots.filter(|slot| slot.serves() && slot.life.is_some_and(|life| life.until <= now));
        assert_eq!(ended.count(), 0, "{:?}", world.log);
        let serving = world.situation.slots.iter().filter(|slot| slot.serves()).count();
        assert!(serving >= least, "{serving} serve: {:?}", world.log);
    }
    world.log.iter().filter(|line| line.ends_with(": ends")).count()
}

fn deployed(count: u32, lifetime: Duration, strategy: Strategy) -> World {
    let mut world = World::new(count, strategy);
    world.lifetime = Some(lifetime);
    world.settle();
    world.prove();
    world
}

#[test]
fn instances_are_replaced_before_their_lifetime_ends_and_all_serve_meanwhile() {
    for (count, surge) in [(1, 1), (3, 1), (10, 4)] {
        let strategy = Strategy {
            surge,
            ..Strategy::default()
        };
        let mut world = deployed(count, MINUTE * 60, strategy);
        let replaced = live(&mut world, 3 * 3600, count as usize);
        // Each at least every hour, and never before half of that.
        let count = count as usize;
        assert!((2 * count..=6 * count).contains(&replaced), "{replaced} of {count}");
    }
}

#[test]
fn a_short_lifetime_is_used_to_its_half_at_least() {
    let mut world = deployed(2, MINUTE * 2, Strategy::default());
    let replaced = live(&mut world, 600, 2);
    assert!((8..=20).contains(&replaced), "{replaced}");
}

#[test]
fn one_that_is_stopped_first_keeps_the_promise() {
    let strategy = Strategy {
        order: RollOrder::StopFirst,
        ..Strategy::default()
    };
    let mut world = deployed(3, MINUTE * 60, strategy);
    assert!(live(&mut world, 3 * 3600, 2) >= 6);
}

#[test]
fn the_next_question_is_due_when_the_next_instance_is() {
    let mut world = deployed(1, MINUTE * 60, Strategy::default());
    world.roll();
    let answer = next(&world.situation);
    let life = world.situation.slots[0].life.unwrap();
    // within and drain of the strategy
    assert_eq!(answer.wake, Some(life.until.minus(Duration::from_secs(90))));
    assert!(answer.settled);
}

#[test]
fn nothing_is_replaced_during_a_pause() {
    let mut world = deployed(1, MINUTE * 10, Strategy::default());
    world.situation.paused = true;
    world.log.clear();
    for _ in 0..590 {
        world.roll();
        world.tick();
    }
    assert!(world.log.is_empty(), "{:?}", world.log);
    world.situation.paused = false;
    world.roll();
    assert_eq!(world.log, ["open 1 v1"]);
}
