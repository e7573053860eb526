//! Whatever happens in whatever order, the rules end as the record wants them.

use orchestrator_host::fake::Faults;
use orchestrator_model::{Owner, Phase};
use proptest::prelude::*;

use crate::record::client;
use crate::world::{ISOLATED, World, after};

/// The settings that a reload brings.
const SETTINGS: [&str; 4] = [
    ISOLATED,
    "isolation = true",
    "isolation = true\nenforce = false\nrouter_ports = [\"eth1\"]",
    "isolation = false",
];

#[derive(Debug, Clone)]
enum Act {
    Hold(u8, u8),
    Release(u8),
    Place(Owner, u8, Phase),
    Clear(Owner),
    Ask(Owner),
    Untold(u8),
    Flush,
    Reload(usize),
    Away(bool),
    Wait(u64),
    Crash(u64),
}

fn owner() -> impl Strategy<Value = Owner> {
    let pool = Owner::Pool("warm".to_owned());
    prop_oneof![5 => (1..6_u8).prop_map(client), 1 => Just(pool)]
}

fn act() -> impl Strategy<Value = Act> {
    let phase = prop::sample::select(vec![Phase::Pending, Phase::Starting, Phase::Ready, Phase::Removing]);
    prop_oneof![
        4 => (1..6_u8, 1..6_u8).prop_map(|(number, place)| Act::Hold(number, place)),
        2 => (1..6_u8).prop_map(Act::Release),
        4 => (owner(), 1..9_u8, phase).prop_map(|(owner, number, phase)| Act::Place(owner, number, phase)),
        2 => owner().prop_map(Act::Clear),
        2 => owner().prop_map(Act::Ask),
        1 => (1..6_u8).prop_map(Act::Untold),
        1 => Just(Act::Flush),
        2 => (0..SETTINGS.len()).prop_map(Act::Reload),
        1 => any::<bool>().prop_map(Act::Away),
        4 => (0..40_u64).prop_map(Act::Wait),
        2 => (1..30_u64).prop_map(Act::Crash),
    ]
}

async fn play(world: &mut World, act: Act) {
    match act {
        Act::Hold(number, place) => world.hold(number, place),
        Act::Release(number) => world.release(number),
        Act::Place(owner, number, phase) => drop(world.place(&owner, number, phase)),
        Act::Clear(owner) => world.clear(&owner),
        Act::Ask(owner) => {
            let asking = world
                .records
                .lock()
                .owners
                .get(&owner)
                .and_then(|facts| facts.instances.first().cloned());
            if let Some(asking) = asking {
                // While the machine fails it may say so.
                drop(world.ask(&asking).await);
            }
        }
        Act::Untold(number) => world.records.change(&client(number), |facts| facts.leases.clear()),
        Act::Flush => world.machine.flush_policy(),
        Act::Reload(which) => world.reload(SETTINGS[which]),
        Act::Away(is_away) => world.records.lock().is_away = is_away,
        Act::Wait(seconds) => after(seconds).await,
        Act::Crash(waits) => {
            world.machine.crash_points().crash_after(waits);
            let crashed = world.machine.crash_points().crashed();
            tokio::select! {
                () = crashed => {}
                () = after(60) => {}
            }
            world.kill().await;
            world.start();
        }
    }
}

async fn ends_as_recorded(seed: u64, acts: Vec<Act>) {
    let mut world = World::new(seed, ISOLATED);
    world.machine.set_faults(Faults::many());
    world.start();
    for act in acts {
        play(&mut world, act).await;
    }
    world.machine.set_faults(Faults::none());
    world.records.lock().is_away = false;
    after(90).await;
    world.is_right();
    let is_needed = !world.wanted().is_empty();
    assert_eq!(world.condition(), is_needed.then(|| (true, String::new())));
    // What is in force now is also the answer.
    let owners: Vec<_> = world.records.lock().owners.values().cloned().collect();
    for asking in owners.iter().flat_map(|facts| facts.instances.first()) {
        assert_eq!(world.ask(asking).await, Ok(()));
    }
    world.kill().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_rules_end_as_the_record_wants_them(seed in any::<u64>(), acts in prop::collection::vec(act(), 0..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(ends_as_recorded(seed, acts));
    }
}
