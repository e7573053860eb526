//! Whatever happens in whatever order, the machine ends as the record wants it.

use std::collections::BTreeSet;

use orchestrator_host::RoutePlan;
use orchestrator_host::fake::Faults;
use proptest::prelude::*;

use crate::daemon::{SETTINGS, World, after, pool, prefix, route, router};

#[derive(Debug, Clone)]
enum Act {
    Delegate(u16),
    Release(u16),
    RemoveRoute(u16),
    RemovePool,
    LoseBridge,
    ReturnBridge,
    BreakNetwork,
    RemoveNetwork,
    Wait(u64),
    Crash(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let number = 1..6_u16;
    prop_oneof![
        4 => number.clone().prop_map(Act::Delegate),
        2 => number.clone().prop_map(Act::Release),
        2 => number.prop_map(Act::RemoveRoute),
        1 => Just(Act::RemovePool),
        1 => Just(Act::LoseBridge),
        1 => Just(Act::ReturnBridge),
        1 => Just(Act::BreakNetwork),
        1 => Just(Act::RemoveNetwork),
        4 => (0..40_u64).prop_map(Act::Wait),
        2 => (1..30_u64).prop_map(Act::Crash),
    ]
}

async fn play(world: &mut World, act: Act) {
    match act {
        Act::Delegate(number) => world.delegate(number),
        Act::Release(number) => world.release(number),
        Act::RemoveRoute(number) => world.machine.remove_route(&route(number).key()),
        Act::RemovePool => world.machine.remove_route(&pool().key()),
        Act::LoseBridge => world.machine.remove_bridge("br0"),
        Act::ReturnBridge => return_bridge(world),
        Act::BreakNetwork => world.machine.change_bridge("storage", |bridge| bridge.up = false),
        Act::RemoveNetwork => world.machine.remove_bridge("storage"),
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

fn return_bridge(world: &World) {
    if !world.machine.with(|state| state.bridges.contains_key("br0")) {
        world.machine.add_bridge("br0", 1023);
        world.notifications.notify_prefixes();
    }
}

async fn ends_as_recorded(seed: u64, acts: Vec<Act>) {
    let mut world = World::new(seed, SETTINGS);
    let theirs = RoutePlan {
        prefix: prefix(1),
        via: Some((router(99), "elsewhere".to_owned())),
    };
    world.machine.add_route_of_another(theirs.clone());
    world.machine.set_faults(Faults::many());
    world.start();
    for act in acts {
        play(&mut world, act).await;
    }
    world.machine.set_faults(Faults::none());
    return_bridge(&world);
    // As long as repairs may have been put off.
    after(120).await;
    let held: Vec<_> = world.records.lock().held.clone().into_iter().collect();
    let mut wanted: BTreeSet<RoutePlan> = held
        .into_iter()
        .map(|(prefix, router)| RoutePlan {
            prefix,
            via: Some((router, "br0".to_owned())),
        })
        .collect();
    wanted.insert(pool());
    assert_eq!(world.routes(), wanted);
    let network = world
        .machine
        .with(|state| state.bridges.get("storage").cloned())
        .unwrap();
    assert!(
        network.up && network.address == Some("fd50::1/64".parse().unwrap()),
        "{network:?}"
    );
    assert!(
        world
            .machine
            .with(|state| state.routes.iter().any(|found| !found.ours && found.plan == theirs))
    );
    world.kill().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_machine_ends_as_the_record_wants_it(seed in any::<u64>(), acts in prop::collection::vec(act(), 0..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(ends_as_recorded(seed, acts));
    }
}
