//! The way of one instance, and what each step costs.

use std::sync::atomic::Ordering;
use std::time::Duration;

use orchestrator_model::{EventKind, Phase};

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
    grace = "30s"
    ready = { tcp = 80, within = "10s" }
    [template.replica]
    image = "web"
    grace = "0s"
    ready = { tcp = 80 }
"#;

const SOON: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn a_lease_makes_an_instance_and_its_end_removes_it_after_the_grace() {
    let mut world = World::new(1, SETTINGS);
    world.start();
    world.hold(1, HOUR);
    world.until(SOON, "it is ready", |world| world.ready().len() == 1).await;
    assert_eq!(
        world
            .machine
            .with(|state| (state.containers.len(), state.attachments.len())),
        (1, 1)
    );
    world.release(1);
    world
        .until(SOON, "its grace begins", |world| {
            world.records.live()[0].phase == Phase::Ending
        })
        .await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(
        world.machine.with(|state| state.containers.len()),
        1,
        "it outlives its lease"
    );
    world
        .until(Duration::from_secs(30), "it is gone", |world| {
            world.records.live().is_empty()
        })
        .await;
    assert!(
        world
            .machine
            .with(|state| state.containers.is_empty() && state.attachments.is_empty())
    );
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_is_no_client_goes_the_whole_way() {
    let mut world = World::new(2, SETTINGS);
    world.start();
    world.scale(5);
    world
        .until(SOON, "five are ready", |world| world.ready().len() == 5)
        .await;
    world.scale(2);
    world
        .until(SOON, "two are left", |world| world.records.live().len() == 2)
        .await;
    assert_eq!(world.machine.with(|state| state.containers.len()), 2);
    assert_eq!(world.machine.violations(), Vec::<String>::new());
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_client_is_read_once_and_its_instance_recorded_twice() {
    let mut world = World::new(8, SETTINGS);
    world.start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.records.state().asked.clear();
    world.hold(1, HOUR);
    world.until(SOON, "it is ready", |world| world.ready().len() == 1).await;
    let asked = world.records.state().asked.clone();
    let place = |doing: &str| asked.iter().position(|one| *one == doing).unwrap();
    let before = &asked[..place("record an instance")];
    assert!(
        before.contains(&"read a holding") && !before.contains(&"read a situation"),
        "{asked:?}"
    );
    let updates = asked.iter().filter(|one| **one == "record where an instance is");
    assert_eq!(updates.count(), 1, "that it is ready: {asked:?}");
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_pass_fills_an_empty_slot_and_reads_the_slots_of_no_owner() {
    let mut world = World::new(9, SETTINGS);
    world.start();
    world.scale(3);
    world
        .until(SOON, "three are ready", |world| world.ready().len() == 3)
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let pass = async |world: &World| {
        world.records.state().asked.clear();
        world.orchestrator().unwrap().look_again();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let asked = world.records.state().asked.clone();
        assert!(asked.contains(&"read the live instances"), "{asked:?}");
        assert!(!asked.contains(&"read slots"), "{asked:?}");
    };
    pass(&world).await;
    // Nobody is notified that it wants another one.
    world.replicas.count.store(4, Ordering::Relaxed);
    pass(&world).await;
    world
        .until(SOON, "four are ready", |world| world.ready().len() == 4)
        .await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn one_try_is_one_call_and_one_look_is_one_call() {
    let mut world = World::new(3, SETTINGS);
    world.start();
    world.hold(1, HOUR);
    world.until(SOON, "it is ready", |world| world.ready().len() == 1).await;
    assert_eq!((world.machine.calls("ensure"), world.machine.calls("remove")), (1, 0));
    let before = world.machine.calls("see");
    // A renewal has its worker look, once.
    world.hold(1, HOUR);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.machine.calls("see"), before + 1);
    assert_eq!(world.machine.calls("ensure"), 1);
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_daemon_takes_on_what_the_last_one_left_running() {
    let mut world = World::new(4, SETTINGS);
    world.start();
    world.hold(1, HOUR);
    world.until(SOON, "it is ready", |world| world.ready().len() == 1).await;
    world.kill().await;
    let reference = world.records.live()[0].reference().map(str::to_owned);
    world.start();
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(world.records.live()[0].reference(), reference.as_deref());
    assert_eq!(
        (
            world.machine.calls("ensure"),
            world.records.happened(EventKind::InstanceDisturbed)
        ),
        (1, 0)
    );
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_the_record_lost_is_kept_and_given_back_to_its_client() {
    let mut world = World::new(5, SETTINGS);
    world.start();
    world.hold(1, HOUR);
    world.until(SOON, "it is ready", |world| world.ready().len() == 1).await;
    world.kill().await;
    let (id, attachment) = {
        let mut state = world.records.state();
        let (id, instance) = state.instances.pop_first().unwrap();
        state.leases.clear();
        state.clients.clear();
        (id, instance.attachments[0].id)
    };
    world.start();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let orphans = world.orchestrator().unwrap().orphans();
    assert_eq!(
        orphans
            .iter()
            .map(|orphan| (orphan.id, orphan.running))
            .collect::<Vec<_>>(),
        [(id, true)]
    );
    world.hold(1, HOUR);
    world
        .until(SOON, "it is ready again", |world| world.ready().len() == 1)
        .await;
    let live = world.records.live();
    assert_eq!(
        (live[0].id, live[0].attachments[0].id),
        (id, attachment),
        "the same one"
    );
    assert_eq!(world.machine.with(|state| state.starts()), 1, "and it ran on");
    assert!(world.orchestrator().unwrap().orphans().is_empty());
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn an_orphan_goes_with_all_that_was_made_for_it_when_an_operator_says_so() {
    let mut world = World::new(6, SETTINGS);
    world.start();
    world.hold(1, HOUR);
    world.until(SOON, "it is ready", |world| world.ready().len() == 1).await;
    world.kill().await;
    let id = {
        let mut state = world.records.state();
        state.leases.clear();
        state.clients.clear();
        state.instances.pop_first().unwrap().0
    };
    world.start();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let orchestrator = world.orchestrator().unwrap();
    assert!(orchestrator.remove_orphan(id).await.unwrap().is_some());
    assert!(orchestrator.remove_orphan(id).await.unwrap().is_none());
    assert!(
        world
            .machine
            .with(|state| state.containers.is_empty() && state.attachments.is_empty())
    );
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_port_is_not_started_and_comes_when_one_is_free() {
    let mut world = World::new(7, SETTINGS);
    world.machine.with(|state| state.set_ports("br0", 3));
    world.start();
    world.scale(5);
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert_eq!(world.ready().len(), 3);
    let running = world.machine.with(|state| {
        let runs =
            |found: &&orchestrator_host::fake::FakeContainer| found.state == orchestrator_host::FoundState::Running;
        state.containers.values().filter(runs).count()
    });
    assert_eq!(running, 3, "none runs without a network");
    world.machine.with(|state| state.set_ports("br0", 5));
    world
        .until(Duration::from_secs(90), "all five are ready", |world| {
            world.ready().len() == 5
        })
        .await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_wrote_more_than_its_disk_is_removed_with_the_reason() {
    let settings = SETTINGS.replace("image = \"web\"", "image = \"web\"\n disk = \"1MiB\"");
    let mut world = World::new(77, &settings);
    world.start();
    for client in [1, 2] {
        world.hold(client, HOUR);
    }
    world
        .until(SOON, "both are ready", |world| world.ready().len() == 2)
        .await;
    let live = world.records.live();
    let (greedy, modest) = (live[0].id, live[1].id);
    world.machine.with(|state| {
        for (key, container) in &mut state.containers {
            let bytes = if key.0 == greedy { (1 << 20) + 1 } else { 1 << 20 };
            container.files.insert("/file".into(), vec![0; bytes].into());
        }
    });
    world
        .until(MINUTE, "one is gone", |world| world.records.live().len() == 1)
        .await;
    assert_eq!(
        world.records.live()[0].id,
        modest,
        "its limit is not more than its limit"
    );
    let events = world.records.state().events.clone();
    let ended = events
        .iter()
        .find(|event| event.kind == EventKind::InstanceDestroyed)
        .unwrap();
    let detail = ended.detail.clone().unwrap();
    assert!(
        ended.instance == Some(greedy) && detail.contains("wrote 1048577 bytes") && detail.contains("allows 1048576"),
        "{detail}"
    );
    tokio::time::sleep(10 * MINUTE).await;
    assert_eq!(
        world.records.live().len(),
        1,
        "its client gets none before its next lease event"
    );
    world.kill().await;
}
