//! Limits: who gets an instance, who waits, and what a pause holds up.

use std::time::Duration;

use orchestrator_model::{EventKind, Id, Owner, PauseScope, Phase, Slot, SlotKey};

use crate::daemon::World;

const SOON: Duration = Duration::from_secs(120);
const LONG: Duration = Duration::from_secs(100_000);

/// A host of so many instances.
fn settings(instances: u32) -> String {
    format!(
        r#"
        [limits]
        instances = {instances}
        [[link]]
        bridge = "br0"
        address = "fd00::1/64"
        pool = "fd00::1:0/112"
        instances = "fd00::2:0/112"
        template = "default"
        [template.default]
        image = "web"
        grace = "0s"
        ready = {{ tcp = 80, within = "5s" }}
    "#
    )
}

fn key(client: u8) -> SlotKey {
    let owner = Owner::Client(Id::from_bytes([0xc, 0, 0, 0, 0, client]));
    SlotKey::new(owner, Slot::new("default"))
}

/// The client of this number is behind a port, and holds a lease.
fn arrive(world: &World, client: u8, port: &str) {
    world.records.state().ports.insert(client, port.to_owned());
    world.hold(client, LONG);
}

/// How many of these clients have an instance that is ready.
fn ready(world: &World, clients: std::ops::RangeInclusive<u8>) -> usize {
    let ready = world.ready();
    clients.filter(|client| ready.contains(&key(*client))).count()
}

#[tokio::test(start_paused = true)]
async fn honest_clients_get_their_instances_beside_a_port_with_many_identities() {
    let mut world = World::new(1, &settings(20));
    world.start();
    for client in 1..=100 {
        arrive(&world, client, "attacker");
    }
    world
        .until(SOON, "the attacker has his part", |world| ready(world, 1..=100) == 15)
        .await;
    for client in 201..=205 {
        arrive(&world, client, &format!("eth{client}"));
    }
    world
        .until(SOON, "all honest clients are served", |world| {
            ready(world, 201..=205) == 5
        })
        .await;
    tokio::time::sleep(SOON).await;
    let live = world.records.live();
    assert_eq!(live.len(), 20, "what is promised is not exceeded");
    assert_eq!(ready(&world, 1..=100), 15);
    let waiting = world.orchestrator().unwrap().waiting();
    assert_eq!(waiting.len(), 85);
    assert!(
        waiting.iter().all(|one| one.code == "host-instances"),
        "{:?}",
        waiting[0]
    );
    assert_eq!(
        world.records.happened(EventKind::InstanceWaiting),
        85,
        "each says so once"
    );
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_removal_frees_a_place_at_once_and_a_restart_keeps_the_order() {
    let mut world = World::new(1, &settings(2));
    world.start();
    for client in 1..=6 {
        arrive(&world, client, &format!("eth{client}"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world
        .until(SOON, "two are ready", |world| world.ready().len() == 2)
        .await;
    world.kill().await;
    world.start();
    for gone in 1..=2 {
        world.release(gone);
        let next = key(gone + 2);
        world
            .until(SOON, "the next one is ready", |world| world.ready().contains(&next))
            .await;
    }
    let waiting = world.orchestrator().unwrap().waiting();
    let keys: Vec<SlotKey> = waiting.into_iter().map(|one| one.key).collect();
    assert_eq!(keys, [key(5), key(6)]);
    world.release(5);
    world.release(3);
    world
        .until(SOON, "the last one is ready", |world| world.ready().contains(&key(6)))
        .await;
    assert!(world.orchestrator().unwrap().waiting().is_empty());
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_up_what_is_new_and_nothing_else_and_outlives_the_daemon() {
    let mut world = World::new(1, &settings(100));
    world.start();
    arrive(&world, 1, "eth1");
    world
        .until(SOON, "the first is ready", |world| world.ready().len() == 1)
        .await;
    let link = PauseScope::Link("br0".to_owned());
    let orchestrator = world.orchestrator().unwrap();
    assert!(orchestrator.pause(link.clone(), None).await.unwrap());
    assert!(
        !orchestrator.pause(link.clone(), None).await.unwrap(),
        "it is so already"
    );
    arrive(&world, 2, "eth2");
    tokio::time::sleep(SOON).await;
    assert_eq!(world.ready(), [key(1)]);
    world.kill().await;
    world.start();
    world.machine.end(world.records.live()[0].id);
    tokio::time::sleep(SOON).await;
    assert_eq!(
        world.ready(),
        [key(1)],
        "what runs is repaired, and nothing new is made"
    );
    let orchestrator = world.orchestrator().unwrap();
    let limits = orchestrator.limits();
    assert_eq!((limits.paused.len(), limits.waiting.used), (1, 1));
    assert!(orchestrator.resume(link.clone(), None).await.unwrap());
    world
        .until(SOON, "the second is ready", |world| world.ready().len() == 2)
        .await;
    assert!(!orchestrator.resume(link, None).await.unwrap());
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_behind_an_instance_gets_none() {
    let mut world = World::new(1, &settings(100));
    world.start();
    arrive(&world, 1, "or0123456789ab");
    arrive(&world, 2, "eth2");
    world
        .until(SOON, "the other is ready", |world| world.ready() == [key(2)])
        .await;
    tokio::time::sleep(SOON).await;
    assert!(
        world
            .records
            .live()
            .iter()
            .all(|one| one.phase == Phase::Ready && one.key() == key(2))
    );
    assert_eq!(world.records.happened(EventKind::Refused), 1);
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn another_limit_is_in_force_at_once() {
    let mut world = World::new(1, &settings(1));
    world.start();
    for client in 1..=3 {
        arrive(&world, client, &format!("eth{client}"));
    }
    world
        .until(SOON, "one is ready", |world| world.ready().len() == 1)
        .await;
    world.reload(&settings(3));
    world
        .until(SOON, "all are ready", |world| world.ready().len() == 3)
        .await;
    world.reload(&settings(1));
    tokio::time::sleep(SOON).await;
    assert_eq!(world.ready().len(), 3, "what runs over a lower limit keeps running");
    world.kill().await;
}
