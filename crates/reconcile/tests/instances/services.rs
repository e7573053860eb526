//! A service that gives each client an instance of its own: the owner is the client, the slot is the service's.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use orchestrator_model::{EventKind, Phase, Slot};

use crate::daemon::{World, slot_of_service};

const SETTINGS: &str = r#"
    [[link]]
    bridge = "br0"
    address = "fd00::1/64"
    pool = "fd00::1:0/112"
    instances = "fd00::2:0/112"
    template = "default"
    [template.default]
    image = "web"
    grace = "5s"
    ready = { tcp = 80 }
    [template.dns]
    image = "dns"
    grace = "5s"
    ready = { tcp = 53 }
"#;

const SOON: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3600);

/// A daemon with the service, on which one client has both of its instances.
async fn served(seed: u64) -> World {
    let mut world = World::new(seed, SETTINGS);
    world.per_client.enabled.store(true, Ordering::Relaxed);
    world.start();
    world.hold(1, HOUR);
    both_are_ready(&world).await;
    world
}

async fn both_are_ready(world: &World) {
    world
        .until(SOON, "both are ready", |world| world.ready().len() == 2)
        .await;
}

fn slots(world: &World) -> BTreeSet<Slot> {
    world.ready().into_iter().map(|key| key.slot).collect()
}

async fn nothing_is_left(world: &World) {
    world
        .until(2 * SOON, "all of it is gone", |world| world.records.live().is_empty())
        .await;
    assert!(
        world
            .machine
            .with(|state| state.containers.is_empty() && state.attachments.is_empty())
    );
    assert_eq!(world.machine.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_lease_makes_both_instances_and_its_end_removes_both() {
    let mut world = served(1).await;
    assert_eq!(slots(&world), [Slot::new("default"), slot_of_service()].into());
    let live = world.records.live();
    let images: BTreeSet<&str> = live
        .iter()
        .map(|instance| instance.containers[0].image.as_str())
        .collect();
    assert_eq!(images, ["dns", "web"].into());
    assert_ne!(live[0].address(), live[1].address());
    assert_eq!(live[0].client(), live[1].client());
    world.release(1);
    nothing_is_left(&world).await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn the_next_daemon_takes_over_both() {
    let mut world = served(2).await;
    world.kill().await;
    world.start();
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(world.ready().len(), 2);
    assert_eq!(world.machine.with(|state| state.starts()), 2, "both ran on");
    assert_eq!(world.records.happened(EventKind::InstanceDisturbed), 0);
    // The lease ends while there is no daemon, so that nobody is notified.
    world.kill().await;
    world.release(1);
    world.start();
    world
        .until(2 * SOON, "their grace begins", |world| {
            let live = world.records.live();
            live.iter().all(|instance| instance.phase != Phase::Ready)
        })
        .await;
    nothing_is_left(&world).await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn instances_that_the_record_lost_are_given_back_each_to_its_slot() {
    let mut world = served(3).await;
    world.kill().await;
    let lost: BTreeSet<_> = {
        let mut state = world.records.state();
        state.leases.clear();
        state.clients.clear();
        let lost = std::mem::take(&mut state.instances);
        lost.into_values()
            .map(|instance| (instance.slot, instance.id))
            .collect()
    };
    world.start();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.orchestrator().unwrap().orphans().len(), 2);
    world.hold(1, HOUR);
    both_are_ready(&world).await;
    let live = world.records.live().into_iter();
    let found: BTreeSet<_> = live.map(|instance| (instance.slot, instance.id)).collect();
    assert_eq!(found, lost, "the same ones");
    assert_eq!(world.machine.with(|state| state.starts()), 2, "and they ran on");
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_comes_and_goes_leaves_the_instance_of_the_template_alone() {
    let mut world = World::new(4, SETTINGS);
    world.start();
    world.hold(1, HOUR);
    world
        .until(SOON, "the template's is ready", |world| world.ready().len() == 1)
        .await;
    let of_template = world.records.live().remove(0);
    // Nobody is notified of the service: the full pass finds who is to have an instance of it.
    world.per_client.enabled.store(true, Ordering::Relaxed);
    world
        .until(Duration::from_secs(45), "both are ready", |world| {
            world.ready().len() == 2
        })
        .await;
    world.per_client.enabled.store(false, Ordering::Relaxed);
    world.hold(1, HOUR);
    world
        .until(2 * SOON, "the service's is gone", |world| {
            world.records.live().len() == 1
        })
        .await;
    let left = world.records.live().remove(0);
    assert_eq!((left.id, left.phase), (of_template.id, Phase::Ready));
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_removed_comes_back_beside_the_service_at_the_next_lease_event() {
    let mut world = served(5).await;
    let live = world.records.live();
    let of_template = live.iter().find(|instance| instance.slot.service().is_none()).unwrap();
    let orchestrator = world.orchestrator().unwrap();
    orchestrator.destroy(of_template.id, None).await.unwrap();
    world
        .until(SOON, "it is gone", |world| slots(world) == [slot_of_service()].into())
        .await;
    world.hold(1, HOUR);
    both_are_ready(&world).await;
    world.release(1);
    nothing_is_left(&world).await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_lost_meanwhile_leaves_nothing_behind() {
    let mut world = served(6).await;
    world.machine.stop_engine("docker");
    world.release(1);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(world.records.live().len(), 2, "they cannot be removed yet");
    world.machine.start_engine("docker", true);
    world
        .until(Duration::from_secs(90), "both are gone", |world| {
            world.records.live().is_empty()
        })
        .await;
    nothing_is_left(&world).await;
    world.kill().await;
}
