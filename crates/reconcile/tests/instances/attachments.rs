//! Attachments beyond an address on a link: addresses that are pending, prefixes, further networks.

use std::net::Ipv6Addr;
use std::time::Duration;

use orchestrator_host::RoutePlan;
use orchestrator_model::{Instance, Phase};
use orchestrator_store::StoreError;

use crate::daemon::World;

const SETTINGS: &str = r#"
    [[link]]
    bridge = "br0"
    address = "fd00::1/64"
    pool = "fd00::1:0/112"
    instances = "fd00::2:0/112"
    template = "default"
    [[network]]
    name = "storage"
    bridge = "br-store"
    address = "fd50::1/64"
    instances = "fd50::5:0/112"
    [template.default]
    image = "web"
    grace = "0s"
    networks = ["storage"]
    ready = { tcp = 80, within = "10s" }
"#;

const SOON: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3600);
const GIVEN: Ipv6Addr = Ipv6Addr::new(0xfd50, 0, 0, 0, 0, 0, 5, 0x77);

fn world(seed: u64) -> World {
    let world = World::new(seed, SETTINGS);
    world.machine.add_bridge("br-store", 1023);
    world
}

fn only(world: &World) -> Instance {
    let mut live = world.records.live();
    assert_eq!(live.len(), 1, "{live:?}");
    live.remove(0)
}

/// The address that an attachment is wired with.
fn wired(world: &World, instance: &Instance, place: usize) -> Option<Ipv6Addr> {
    let id = instance.attachments[place].id;
    world.machine.with(|state| state.attachments[&id].address)
}

#[tokio::test(start_paused = true)]
async fn an_attachment_is_recorded_on_its_network_and_wired_to_its_bridge() {
    let mut world = world(1);
    world.start();
    world.hold(1, HOUR);
    world.until(SOON, "it is ready", |world| world.ready().len() == 1).await;
    let storage = only(&world).attachments.remove(1);
    assert_eq!(
        (storage.network.as_str(), storage.bridge.as_str()),
        ("storage", "br-store")
    );
    assert_eq!(
        world
            .machine
            .with(|state| state.attachments[&storage.id].bridge.clone()),
        "br-store"
    );
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_whose_address_is_pending_is_wired_and_is_ready_once_it_is_given() {
    let mut world = world(2);
    world.records.state().pending = true;
    world.start();
    world.hold(1, HOUR);
    let waits = |world: &World| {
        let live = world.records.live();
        live.first()
            .is_some_and(|one| one.phase == Phase::Starting && one.reason.is_some())
    };
    world.until(SOON, "it waits for its address", waits).await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    let waiting = only(&world);
    let reason = waiting.reason.clone().unwrap();
    assert!(reason.contains("waits for its address on br-store"), "{reason}");
    assert_eq!(
        (waiting.phase, waiting.attempts, waiting.ready),
        (Phase::Starting, 0, None)
    );
    assert_eq!(
        (wired(&world, &waiting, 1), world.machine.with(|state| state.starts())),
        (None, 1)
    );
    let orchestrator = world.orchestrator().unwrap();
    let pending = waiting.attachments[1].id;
    orchestrator.give_address(pending, GIVEN).await.unwrap();
    world.until(SOON, "it is ready", |world| world.ready().len() == 1).await;
    let ready = only(&world);
    assert_eq!(ready.attachments[1].address, Some(GIVEN));
    assert_eq!(wired(&world, &ready, 1), Some(GIVEN));
    assert_eq!(world.machine.with(|state| state.starts()), 1, "it ran on");
    // The same once more changes nothing, and another one is refused.
    orchestrator.give_address(pending, GIVEN).await.unwrap();
    let other = orchestrator.give_address(pending, "fd50::5:78".parse().unwrap()).await;
    assert!(matches!(other, Err(StoreError::NotPending(_))), "{other:?}");
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn an_address_that_another_instance_has_is_not_given() {
    let mut world = world(3);
    world.start();
    world.hold(1, HOUR);
    world.until(SOON, "it is ready", |world| world.ready().len() == 1).await;
    let taken = only(&world).attachments[1].address.unwrap();
    world.records.state().pending = true;
    world.hold(2, HOUR);
    world
        .until(SOON, "both are there", |world| world.records.live().len() == 2)
        .await;
    let live = world.records.live();
    let pending = live
        .iter()
        .flat_map(|one| &one.attachments)
        .find(|one| one.address.is_none());
    let pending = pending.unwrap().id;
    let orchestrator = world.orchestrator().unwrap();
    let refused = orchestrator.give_address(pending, taken).await;
    assert!(matches!(refused, Err(StoreError::AddressTaken { .. })), "{refused:?}");
    // Nobody is planned on an address that was given.
    orchestrator.give_address(pending, GIVEN).await.unwrap();
    world
        .until(SOON, "both are ready", |world| world.ready().len() == 2)
        .await;
    assert_eq!(world.machine.violations(), Vec::<String>::new());
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_is_killed_while_an_address_is_given_wires_it_after_its_restart() {
    for waits in 1..12 {
        let mut world = world(100 + waits);
        world.records.state().pending = true;
        world.start();
        world.hold(1, HOUR);
        world
            .until(SOON, "it is wired", |world| world.machine.calls("ensure") > 0)
            .await;
        tokio::time::sleep(SOON).await;
        let pending = only(&world).attachments[1].id;
        let orchestrator = world.orchestrator().unwrap();
        world.machine.crash_points().crash_after(waits);
        let crashed = world.machine.crash_points().crashed();
        tokio::select! {
            _ = async { orchestrator.give_address(pending, GIVEN).await.unwrap(); tokio::time::sleep(SOON).await } => {}
            () = crashed => {}
        }
        drop(orchestrator);
        world.kill().await;
        world.start();
        // Whoever gives addresses gives one again that he does not know to be recorded.
        world
            .orchestrator()
            .unwrap()
            .give_address(pending, GIVEN)
            .await
            .unwrap();
        world.until(SOON, "it is ready", |world| world.ready().len() == 1).await;
        assert_eq!(wired(&world, &only(&world), 1), Some(GIVEN), "crash at wait {waits}");
        world.kill().await;
    }
}

#[tokio::test(start_paused = true)]
async fn prefixes_are_routed_to_an_instance_before_it_is_ready_and_go_with_it() {
    let mut world = world(4);
    world.records.state().routed = vec!["fd60::/64".parse().unwrap()];
    let theirs = RoutePlan {
        prefix: "fd60::/64".parse().unwrap(),
        via: Some(("fe80::9".parse().unwrap(), "br0".to_owned())),
    };
    world.machine.add_route_of_another(theirs.clone());
    world.start();
    world.hold(1, HOUR);
    world.until(SOON, "it is ready", |world| world.ready().len() == 1).await;
    let instance = only(&world);
    let route = RoutePlan {
        prefix: "fd60::/64".parse().unwrap(),
        via: Some((instance.address().unwrap(), "br0".to_owned())),
    };
    assert_eq!(world.machine.with(|state| state.our_routes()), [route].into());
    world.release(1);
    world
        .until(SOON, "it is gone", |world| world.records.live().is_empty())
        .await;
    let left = world.machine.with(|state| state.routes.clone());
    assert!(
        left.iter().all(|route| !route.ours && route.plan == theirs) && left.len() == 1,
        "{left:?}"
    );
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_adopted_keeps_its_address_on_every_network() {
    let mut world = world(5);
    world.start();
    world.hold(1, HOUR);
    world.until(SOON, "it is ready", |world| world.ready().len() == 1).await;
    world.kill().await;
    let before = only(&world);
    // It was given another address on the second network than a new instance would be.
    world.machine.with(|state| {
        let (_, container) = state.containers.iter_mut().next().unwrap();
        let addresses = container.spec.environment.get_mut("ORCHESTRATOR_ADDRESSES").unwrap();
        let planned = before.attachments[1].address.unwrap().to_string();
        assert!(addresses.contains(&planned), "{addresses}");
        *addresses = addresses.replace(&planned, &GIVEN.to_string());
    });
    {
        let mut state = world.records.state();
        state.instances.clear();
        state.leases.clear();
        state.clients.clear();
    }
    world.start();
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.hold(1, HOUR);
    world
        .until(SOON, "it is adopted", |world| world.ready().len() == 1)
        .await;
    let adopted = only(&world);
    assert_eq!(adopted.id, before.id);
    assert_eq!(adopted.address(), before.address());
    assert_eq!(adopted.attachments[1].address, Some(GIVEN));
    assert_eq!(adopted.attachments[1].id, before.attachments[1].id);
    world.kill().await;
}
