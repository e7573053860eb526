//! Volumes: each is in one instance at a time, outlives it, and goes by its rule.

use std::time::Duration;

use orchestrator_model::{EventKind, Phase, RecordedVolume, VolumeState};
use tokio_util::bytes::Bytes;

use crate::daemon::World;

const SETTINGS: &str = r#"
    [[link]]
    bridge = "br0"
    address = "fd00::1/64"
    pool = "fd00::1:0/112"
    instances = "fd00::2:0/112"
    template = "default"
    [template.default]
    image = "web"
    grace = "1s"
    ready = { tcp = 80, within = "10s" }
    volume = [{ name = "data", target = "/data", keep = { after_lease = "10m" } }]
    [template.replica]
    image = "web"
"#;

const SOON: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

async fn ready(world: &mut World) -> RecordedVolume {
    world.start();
    world.hold(1, HOUR);
    world.until(SOON, "it is ready", |world| world.ready().len() == 1).await;
    volume(world)
}

fn volume(world: &World) -> RecordedVolume {
    world.records.state().volumes.values().next().unwrap().clone()
}

fn gone(world: &World) -> bool {
    world.records.state().volumes.is_empty() && world.machine.with(|state| state.volumes.is_empty())
}

#[tokio::test(start_paused = true)]
async fn what_is_written_outlives_the_instance_and_goes_after_the_lease() {
    let mut world = World::new(1, SETTINGS);
    let made = ready(&mut world).await;
    let first = made.holder.unwrap();
    world
        .machine
        .with(|state| state.volumes.insert(made.id, Bytes::from_static(b"kept")));
    world.release(1);
    world
        .until(SOON, "the first is gone", |world| world.records.live().is_empty())
        .await;
    assert_eq!(volume(&world).holder, None);
    tokio::time::sleep(9 * MINUTE).await;
    world.hold(1, HOUR);
    world
        .until(SOON, "the second is ready", |world| world.ready().len() == 1)
        .await;
    let again = volume(&world);
    assert!(again.id == made.id && again.holder != Some(first));
    assert_eq!(
        world.machine.with(|state| state.volumes[&made.id].clone()),
        Bytes::from_static(b"kept")
    );
    // An operator removes the instance. Its client holds its lease, so the volume stays.
    let second = world.records.live()[0].id;
    world.orchestrator().unwrap().destroy(second, None).await.unwrap();
    tokio::time::sleep(30 * MINUTE).await;
    assert_eq!((volume(&world).holder, volume(&world).state), (None, VolumeState::Kept));
    world.release(1);
    tokio::time::sleep(9 * MINUTE).await;
    assert!(!gone(&world), "not before its time");
    world.until(2 * MINUTE, "the volume is gone", gone).await;
    let happened = |kind| world.records.happened(kind);
    assert_eq!(
        (happened(EventKind::VolumeExpired), happened(EventKind::VolumeRemoved)),
        (1, 1)
    );
    assert_eq!(world.machine.violations(), Vec::<String>::new());
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn two_templates_of_a_client_take_turns_with_one_volume() {
    let one = "volume = [{ name = \"home\", target = \"/home\", scope = \"client\" }]";
    let settings = SETTINGS
        .replace("template = \"default\"", "template = [\"default\", \"replica\"]")
        .replace(
            "volume = [{ name = \"data\", target = \"/data\", keep = { after_lease = \"10m\" } }]",
            one,
        )
        .replace("[template.replica]", &format!("[template.replica]\n{one}"));
    let mut world = World::new(2, &settings);
    world.start();
    world.hold(1, HOUR);
    world
        .until(SOON, "one is ready", |world| world.ready().len() == 1)
        .await;
    tokio::time::sleep(MINUTE).await;
    assert_eq!(world.records.live().len(), 1, "the other one waits");
    let refused = world
        .records
        .state()
        .events
        .iter()
        .find(|event| event.kind == EventKind::Refused)
        .cloned();
    let detail = refused.unwrap().detail.unwrap();
    assert!(detail.contains("(home) is held by instance"), "{detail}");
    let first = world.records.live()[0].id;
    world.orchestrator().unwrap().destroy(first, None).await.unwrap();
    // The next lease event makes its client want instances again: one of the two gets the volume.
    world.hold(1, HOUR);
    world
        .until(MINUTE, "another one is ready", |world| world.ready().len() == 1)
        .await;
    assert_ne!(world.records.live()[0].id, first);
    assert_eq!(
        (world.records.state().volumes.len(), world.machine.violations()),
        (1, Vec::new())
    );
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_volume_is_removed_once_its_host_can_and_nothing_else_waits_for_it() {
    let mut world = World::new(3, SETTINGS);
    let made = ready(&mut world).await;
    world.release(1);
    world
        .until(SOON, "the instance is gone", |world| world.records.live().is_empty())
        .await;
    world.machine.set_faults(orchestrator_host::fake::Faults {
        fails_before: 1000,
        ..orchestrator_host::fake::Faults::none()
    });
    tokio::time::sleep(20 * MINUTE).await;
    // It is on its way out, and nobody gets it any more.
    assert_eq!(volume(&world).state, VolumeState::Removing);
    world.machine.set_faults(orchestrator_host::fake::Faults::none());
    world.until(2 * MINUTE, "it is gone", gone).await;
    world.hold(1, HOUR);
    world.until(SOON, "it is ready", |world| world.ready().len() == 1).await;
    assert_ne!(volume(&world).id, made.id, "a new one");
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_ends_at_any_point_leaves_no_volume_without_a_record_and_none_twice() {
    for wait in 1..60 {
        let mut world = World::new(4, SETTINGS);
        world.start();
        world.machine.crash_points().crash_after(wait);
        world.hold(1, Duration::from_secs(5));
        let crashed = world.machine.crash_points().clone();
        for _ in 0..1200 {
            // The lease ends, the grace, and then the time of the volume: the daemon ends somewhere on the way.
            let step = tokio::time::timeout(Duration::from_secs(1), crashed.crashed()).await;
            world.sweep();
            let recorded = world.records.state().volumes.clone();
            let strangers = world.machine.with(|state| {
                let mut there = state.volumes.keys();
                there.find(|id| !recorded.contains_key(id)).copied()
            });
            assert_eq!(strangers, None, "ended at wait {wait}");
            if step.is_ok() {
                break;
            }
        }
        world.kill().await;
        world.start();
        for _ in 0..1200 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            world.sweep();
        }
        assert!(gone(&world), "ended at wait {wait}");
        assert!(
            world
                .records
                .live()
                .iter()
                .all(|instance| instance.phase == Phase::Removed)
        );
        assert_eq!(world.machine.violations(), Vec::<String>::new());
        world.kill().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_adopted_keeps_its_volume() {
    let mut world = World::new(4, SETTINGS);
    let made = ready(&mut world).await;
    world
        .machine
        .with(|state| state.volumes.insert(made.id, Bytes::from_static(b"kept")));
    world.kill().await;
    {
        let mut state = world.records.state();
        state.instances.clear();
        state.leases.clear();
        state.clients.clear();
        state.volumes.clear();
    }
    world.start();
    tokio::time::sleep(MINUTE).await;
    world.hold(1, HOUR);
    world
        .until(SOON, "it is adopted", |world| world.ready().len() == 1)
        .await;
    let adopted = volume(&world);
    assert_eq!((adopted.id, adopted.holder), (made.id, made.holder));
    assert_eq!(
        world.machine.with(|state| state.volumes.clone()),
        [(made.id, Bytes::from_static(b"kept"))].into()
    );
    // The next instance has it, too.
    world.release(1);
    world
        .until(MINUTE, "it is gone", |world| world.records.live().is_empty())
        .await;
    world.hold(1, HOUR);
    world
        .until(SOON, "the next is ready", |world| world.ready().len() == 1)
        .await;
    assert_eq!(volume(&world).id, made.id);
    assert_eq!(world.machine.violations(), Vec::<String>::new());
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn what_volumes_take_is_measured_and_counted() {
    let mut world = World::new(5, SETTINGS);
    let made = ready(&mut world).await;
    world.machine.with(|state| {
        state.volumes.insert(made.id, Bytes::from_static(b"kept"));
        state.volume_limits.insert(made.id, 1 << 30);
    });
    let usage = |world: &World| world.usages.of(made.id);
    world
        .until(MINUTE, "it is measured", |world| {
            usage(world).is_some_and(|usage| usage.bytes == 4 && usage.limit == Some(1 << 30))
        })
        .await;
    let counted = |world: &World, line: &str| world.metrics.render().unwrap().lines().any(|other| other == line);
    for line in [
        "orchestrator_volumes 1",
        "orchestrator_volume_bytes 4",
        "orchestrator_volume_limit_bytes 1073741824",
        "orchestrator_volumes_not_enforced 0",
    ] {
        assert!(counted(&world, line), "{line}: {}", world.metrics.render().unwrap());
    }
    world.release(1);
    world.until(HOUR, "the volume is gone", gone).await;
    world
        .until(MINUTE, "nothing is left of it", |world| {
            usage(world).is_none() && counted(world, "orchestrator_volumes 0")
        })
        .await;
    world.kill().await;
}
