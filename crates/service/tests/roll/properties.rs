//! Whatever happens, in whatever order: the checks of [`World::roll`] hold, and in the end all is as wanted.

use std::time::Duration;

use orchestrator_model::Phase;
use orchestrator_service::health::Health;
use orchestrator_service::roll::{Removal, SlotState};
use orchestrator_service::{RollOrder, Strategy};
use proptest::prelude::{Just, ProptestConfig, Strategy as _, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

use crate::world::World;

/// Something that happens to a service.
#[derive(Debug, Clone)]
enum Event {
    Pass(u64),
    BringUp(usize),
    Starting(usize),
    Crash(usize),
    ChecksFail(usize),
    Vanish(usize),
    Host(bool),
    Connections(usize, Option<u64>),
    Switch(usize),
    Publish,
    Route,
    Scale(u32),
    Deploy { broken: bool },
    Back,
    Pause(bool),
    Removal(bool),
    AllWell,
}

fn event() -> impl proptest::strategy::Strategy<Value = Event> {
    let slot = || 0..8_usize;
    prop_oneof![
        4 => (1..40_000_u64).prop_map(Event::Pass),
        6 => slot().prop_map(Event::BringUp),
        1 => slot().prop_map(Event::Starting),
        1 => slot().prop_map(Event::Crash),
        1 => slot().prop_map(Event::ChecksFail),
        1 => slot().prop_map(Event::Vanish),
        1 => any::<bool>().prop_map(Event::Host),
        2 => (slot(), proptest::option::of(0..3_u64)).prop_map(|(slot, left)| Event::Connections(slot, left)),
        1 => slot().prop_map(Event::Switch),
        4 => Just(Event::Publish),
        4 => Just(Event::Route),
        1 => (0..6_u32).prop_map(Event::Scale),
        1 => any::<bool>().prop_map(|broken| Event::Deploy { broken }),
        1 => Just(Event::Back),
        1 => any::<bool>().prop_map(Event::Pause),
        1 => any::<bool>().prop_map(Event::Removal),
        4 => Just(Event::AllWell),
    ]
}

fn strategy() -> impl proptest::strategy::Strategy<Value = Strategy> {
    let orders = prop_oneof![2 => Just(RollOrder::StartFirst), 1 => Just(RollOrder::StopFirst)];
    (orders, 1..4_u32, 0..20_u64, 0..40_u64, 1..5_u32, 1..60_u64).prop_map(
        |(order, surge, pause, drain, failures, steady)| Strategy {
            order,
            surge,
            pause: Duration::from_secs(pause),
            drain: Duration::from_secs(drain),
            within: Duration::from_secs(60),
            failures,
            steady: Duration::from_secs(steady),
        },
    )
}

fn happen(world: &mut World, event: &Event, newest: &mut u64) {
    let count = world.situation.slots.len();
    let at = |place: usize| (count > 0).then(|| world.situation.slots[place % count].number);
    match *event {
        Event::Pass(span) => world.advance(Duration::from_millis(span)),
        Event::BringUp(place) => at(place).into_iter().for_each(|slot| world.bring_up(slot)),
        Event::Starting(place) => at(place).into_iter().for_each(|slot| {
            if world.slot(slot).unplaced.is_none() {
                world.change(slot, |slot| slot.phase = Some(Phase::Starting));
            }
        }),
        Event::Crash(place) => at(place).into_iter().for_each(|slot| world.crash(slot)),
        Event::ChecksFail(place) => at(place).into_iter().for_each(|slot| {
            world.change(slot, |slot| {
                if slot.health == Health::Passing {
                    slot.health = Health::Failing;
                }
            });
        }),
        Event::Vanish(place) => at(place).into_iter().for_each(|slot| world.vanish(slot)),
        Event::Host(is_there) => world.set_host(world.situation.target.version, is_there),
        Event::Connections(place, left) => at(place)
            .into_iter()
            .for_each(|slot| world.slot(slot).connections = left),
        Event::Switch(place) => at(place)
            .into_iter()
            .for_each(|slot| world.change(slot, |slot| slot.off = !slot.off)),
        Event::Publish => world.publish(),
        Event::Route => world.route(),
        Event::Scale(count) => world.situation.target.count = count,
        Event::Deploy { broken } => {
            *newest += 1;
            world.deploy(*newest, broken);
        }
        Event::Back => {
            let good = world.situation.good.unwrap_or(1);
            world.deploy(good, false);
        }
        Event::Pause(paused) => world.situation.paused = paused,
        Event::Removal(oldest) => {
            world.situation.removal = if oldest { Removal::Oldest } else { Removal::Newest };
        }
        Event::AllWell => world.tick(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn no_history_breaks_the_promise_and_each_ends_well(
        strategy in strategy(),
        count in 0..6_u32,
        first_is_broken in proptest::bool::weighted(0.1),
        events in proptest::collection::vec(event(), 1..150),
        without in any::<u64>(),
    ) {
        let mut world = World::new(count, strategy);
        if first_is_broken {
            world.broken.insert(1);
        }
        let mut newest = 1;
        for event in &events {
            happen(&mut world, event, &mut newest);
            world.roll();
        }
        world.situation.paused = false;
        for version in 1..=newest {
            world.set_host(version, true);
        }
        // A version that nobody goes back to stays without a host, and loses its instances: its slots give way.
        let held = [Some(world.situation.target.version), world.situation.good];
        if let Some(version) = Some(1 + without % newest).filter(|version| !held.contains(&Some(*version))) {
            world.set_host(version, false);
            let slots = world.situation.slots.iter().filter(|slot| slot.version == version);
            for slot in slots.map(|slot| slot.number).collect::<Vec<_>>() {
                world.vanish(slot);
            }
        }
        for slot in world.situation.slots.iter().map(|slot| slot.number).collect::<Vec<_>>() {
            world.change(slot, |slot| slot.off = false);
        }
        world.settle();
        let target = world.situation.target;
        if !world.broken.contains(&target.version) {
            world.prove();
        }
        if world.situation.given_up == Some(target.version) {
            // Nobody can see one that is not broken serve where no instance is wanted.
            prop_assert!(world.broken.contains(&target.version) || target.count == 0);
            prop_assert_eq!(world.situation.good, None);
        } else {
            prop_assert!(target.count == 0 || !world.broken.contains(&target.version));
            let slots = &world.situation.slots;
            prop_assert_eq!(slots.len(), target.count as usize);
            let is_as_wanted = slots
                .iter()
                .all(|slot| slot.state == SlotState::Wanted && slot.version == target.version && slot.serves());
            prop_assert!(is_as_wanted);
            prop_assert_eq!(world.serving(), target.count as usize);
        }
    }

    /// While nothing but a roll happens, never fewer serve than promised, whatever the routers' and instances' pace.
    #[test]
    fn a_roll_alone_never_serves_less_than_promised(
        strategy in strategy(),
        count in 1..6_u32,
        broken in any::<bool>(),
        paces in proptest::collection::vec((0..8_usize, any::<[bool; 3]>(), 0..5_000_u64), 1..200),
    ) {
        // An instance that is slow is no failure here: only a broken version is given up.
        let within = if broken { strategy.within } else { Duration::from_secs(24 * 3600) };
        let mut world = World::deployed(count, Strategy { within, ..strategy });
        world.deploy(2, broken);
        for (place, [up, publish, route], span) in paces {
            let slots = world.situation.slots.len();
            let slot = world.situation.slots[place % slots].number;
            if up && world.slot(slot).state == SlotState::Wanted && !world.slot(slot).serves() {
                world.bring_up(slot);
            }
            if publish {
                world.publish();
            }
            if route {
                world.route();
            }
            world.advance(Duration::from_millis(span));
            world.roll();
            let promised = world.situation.strategy.promised(count) as usize;
            prop_assert!(world.serving() >= promised, "{} of {promised} serve: {:?}", world.serving(), world.log);
        }
        world.settle();
        world.prove();
        prop_assert_eq!(world.situation.good, Some(if broken { 1 } else { 2 }));
        prop_assert_eq!(world.serving(), count as usize);
    }
}
