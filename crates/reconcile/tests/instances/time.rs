//! Lifetimes, idle limits, pins and stops, on a fake machine and through ends of the daemon.

use std::time::Duration;

use orchestrator_host::{Count, FoundState};
use orchestrator_model::{EventKind, Expiry, Phase, TimeChange};
use orchestrator_reconcile::instance::Records;

use crate::clock;
use crate::daemon::World;

const SOON: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// The settings, with these keys of the template.
fn settings(keys: &str) -> String {
    format!(
        "[[link]]\nbridge = \"br0\"\naddress = \"fd00::1/64\"\npool = \"fd00::1:0/112\"\n\
         instances = \"fd00::2:0/112\"\ntemplate = \"default\"\n\
         [template.default]\nimage = \"web\"\nready = {{ tcp = 80, within = \"10s\" }}\n{keys}\n\
         [template.replica]\nimage = \"web\"\n"
    )
}

async fn ready(seed: u64, keys: &str) -> World {
    let mut world = World::new(seed, &settings(keys));
    world.start();
    world.hold(1, HOUR);
    world.until(SOON, "it is ready", |world| world.ready().len() == 1).await;
    world
}

/// Each container, with whether it runs.
fn containers(world: &World) -> Vec<FoundState> {
    world
        .machine
        .with(|state| state.containers.values().map(|container| container.state).collect())
}

fn happened(world: &World, kind: EventKind) -> usize {
    world.records.happened(kind)
}

#[tokio::test(start_paused = true)]
async fn an_instance_ends_with_its_lifetime_and_another_comes_with_the_next_lease() {
    let mut world = ready(1, "lifetime = \"5m\"\nwarn = \"1m\"").await;
    let until = world.records.live()[0].times.until.unwrap();
    tokio::time::sleep(until.minus(MINUTE).since(clock::now()) + SOON).await;
    assert_eq!(
        (happened(&world, EventKind::InstanceWarned), world.ready().len()),
        (1, 1)
    );
    world
        .until(MINUTE, "it is gone", |world| world.records.live().is_empty())
        .await;
    assert!(clock::now() >= until && containers(&world).is_empty());
    assert_eq!(happened(&world, EventKind::InstanceExpired), 1);
    // A renewal brings none, however long the client goes on.
    world.hold(1, HOUR);
    tokio::time::sleep(5 * MINUTE).await;
    assert!(world.records.live().is_empty());
    world.release(1);
    tokio::time::sleep(SOON).await;
    world.hold(1, HOUR);
    world
        .until(SOON, "the next one is ready", |world| world.ready().len() == 1)
        .await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_that_ends_while_no_daemon_runs_ends_the_instance_at_the_next_start() {
    let mut world = ready(2, "lifetime = \"5m\"").await;
    world.kill().await;
    tokio::time::sleep(10 * MINUTE).await;
    assert_eq!(containers(&world).len(), 1);
    world.start();
    world
        .until(MINUTE, "it is gone", |world| world.records.live().is_empty())
        .await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_found_the_instance_running_ends_it_in_time() {
    let mut world = ready(3, "lifetime = \"30m\"\nwarn = \"0s\"").await;
    let until = world.records.live()[0].times.until.unwrap();
    world.kill().await;
    world.start();
    tokio::time::sleep(until.since(clock::now()) - SOON).await;
    assert_eq!(world.ready().len(), 1);
    world
        .until(SOON + SOON, "it is gone", |world| world.records.live().is_empty())
        .await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn another_instance_comes_at_once_where_the_template_says_so() {
    let mut world = ready(4, "lifetime = \"5m\"\nagain = \"0s\"").await;
    let first = world.records.live()[0].id;
    let another = |world: &World| world.ready().len() == 1 && world.records.live()[0].id != first;
    world.until(7 * MINUTE, "another one is ready", another).await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn after_its_grace_an_instance_is_stopped_and_started_again_when_its_client_returns() {
    let mut world = ready(5, "grace = \"10s\"\nkeep = \"10m\"").await;
    let first = world.records.live()[0].clone();
    world.release(1);
    world
        .until(MINUTE, "it is stopped", |world| {
            containers(world) == [FoundState::Exited]
        })
        .await;
    world
        .until(SOON, "that is recorded", |world| {
            happened(world, EventKind::InstanceStopped) == 1
        })
        .await;
    assert_eq!(
        world.machine.with(|state| state.attachments.len()),
        0,
        "it answers nobody"
    );
    // The daemon ends and starts, and the instance stays as it is.
    world.kill().await;
    world.start();
    tokio::time::sleep(2 * MINUTE).await;
    assert_eq!(containers(&world), [FoundState::Exited]);
    assert_eq!(world.records.live()[0].phase, Phase::Stopped);
    world.hold(1, HOUR);
    world
        .until(SOON, "it is ready again", |world| world.ready().len() == 1)
        .await;
    let again = &world.records.live()[0];
    assert_eq!(
        (again.id, again.reference()),
        (first.id, first.reference()),
        "it is the same container"
    );
    assert_eq!(happened(&world, EventKind::InstanceKept), 1);
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_stopped_instance_is_removed_when_it_was_kept_for_long_enough() {
    let mut world = ready(6, "grace = \"0s\"\nkeep = \"10m\"").await;
    world.release(1);
    world
        .until(MINUTE, "it is stopped", |world| {
            containers(world) == [FoundState::Exited]
        })
        .await;
    // Somebody starts it by hand: it is stopped again.
    world.machine.restart_by_hand(world.records.live()[0].id);
    world
        .until(2 * MINUTE, "it is stopped again", |world| {
            containers(world) == [FoundState::Exited]
        })
        .await;
    world
        .until(10 * MINUTE, "it is gone", |world| world.records.live().is_empty())
        .await;
    assert!(containers(&world).is_empty());
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_does_not_answer_delays_a_stop_and_no_removal() {
    let mut world = ready(7, "grace = \"0s\"\nkeep = \"5m\"").await;
    world.machine.stop_engine("docker");
    world.release(1);
    world
        .until(MINUTE, "a stop has failed", |world| {
            world.records.live()[0].attempts > 1
        })
        .await;
    assert_eq!(containers(&world), [FoundState::Running]);
    world.machine.start_engine("docker", false);
    world
        .until(2 * MINUTE, "it is stopped", |world| {
            containers(world) == [FoundState::Exited]
        })
        .await;
    world
        .until(6 * MINUTE, "it is gone", |world| world.records.live().is_empty())
        .await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_pinned_instance_outlives_lease_lifetime_and_daemon() {
    let mut world = ready(8, "grace = \"10s\"\nlifetime = \"5m\"").await;
    let id = world.records.live()[0].id;
    let orchestrator = world.orchestrator().unwrap();
    orchestrator.change_times(id, TimeChange::Pin, None).await.unwrap();
    world.release(1);
    tokio::time::sleep(10 * MINUTE).await;
    assert_eq!(world.ready().len(), 1);
    world.kill().await;
    world.start();
    tokio::time::sleep(5 * MINUTE).await;
    assert_eq!(world.ready().len(), 1);
    let orchestrator = world.orchestrator().unwrap();
    orchestrator.change_times(id, TimeChange::Unpin, None).await.unwrap();
    world
        .until(SOON, "it is gone", |world| world.records.live().is_empty())
        .await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn an_extension_puts_the_end_off_and_an_end_by_hand_does_not_wait() {
    let mut world = ready(9, "lifetime = \"5m\"").await;
    let instance = world.records.live()[0].clone();
    let orchestrator = world.orchestrator().unwrap();
    let extend = TimeChange::Extend(HOUR);
    orchestrator.change_times(instance.id, extend, None).await.unwrap();
    tokio::time::sleep(30 * MINUTE).await;
    assert_eq!(world.ready().len(), 1);
    let expire = TimeChange::Expire {
        expiry: Expiry::Operator,
        keep: Duration::ZERO,
    };
    orchestrator.change_times(instance.id, expire, None).await.unwrap();
    world
        .until(SOON, "it is gone", |world| world.records.live().is_empty())
        .await;
    tokio::time::sleep(5 * MINUTE).await;
    assert!(world.records.live().is_empty(), "its lease has not begun anew");
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_extends_its_instance_as_often_as_the_template_says() {
    let keys = "lifetime = \"5m\"\nclient_may = [\"extend\"]\nextend_by = \"10m\"\nextend_times = 2";
    let mut world = ready(12, keys).await;
    let before = world.records.live()[0].clone();
    let extend = async |world: &World| {
        let orchestrator = world.orchestrator().unwrap();
        let change = TimeChange::ExtendByClient;
        orchestrator.change_times(before.id, change, None).await
    };
    extend(&world).await.unwrap();
    // A daemon that starts anew has counted it.
    world.kill().await;
    world.start();
    let twice = extend(&world).await.unwrap();
    assert_eq!(
        twice.times.until,
        before.times.until.map(|until| until.plus(20 * MINUTE))
    );
    let refused = extend(&world).await.unwrap_err().to_string();
    assert!(refused.contains("as often as its template allows"), "{refused}");
    tokio::time::sleep(20 * MINUTE).await;
    assert_eq!(world.ready().len(), 1);
    world
        .until(10 * MINUTE, "it is gone", |world| world.records.live().is_empty())
        .await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_extends_nothing_where_the_template_does_not_let_it() {
    let mut world = ready(13, "lifetime = \"5m\"\nclient_may = [\"restart\"]").await;
    let instance = world.records.live()[0].clone();
    let orchestrator = world.orchestrator().unwrap();
    let refused = orchestrator
        .change_times(instance.id, TimeChange::ExtendByClient, None)
        .await;
    assert!(refused.unwrap_err().to_string().contains("does not let its client"));
    world
        .until(7 * MINUTE, "it is gone", |world| world.records.live().is_empty())
        .await;
    world.kill().await;
}

/// The host counts so many packets of the one instance.
fn count(world: &World, packets: u64) {
    let port = world.records.live()[0].attachments[0].host_end();
    world.machine.with(|state| {
        let bytes = packets * 100;
        state.policy_counts.used.insert(port, Count { packets, bytes });
    });
}

#[tokio::test(start_paused = true)]
async fn an_instance_without_traffic_is_stopped_and_one_with_traffic_is_not() {
    let mut world = ready(10, "idle = \"10m\"\nwarn = \"1m\"\nkeep = \"1h\"").await;
    for packets in 1..=20 {
        count(&world, packets);
        tokio::time::sleep(MINUTE).await;
    }
    assert_eq!(
        (world.ready().len(), happened(&world, EventKind::InstanceWarned)),
        (1, 0)
    );
    // The daemon ends while nothing happens: the limit goes on from the last traffic.
    world.kill().await;
    tokio::time::sleep(6 * MINUTE).await;
    world.start();
    world.hold(1, HOUR);
    world
        .until(4 * MINUTE, "it is announced", |world| {
            happened(world, EventKind::InstanceWarned) == 1
        })
        .await;
    world
        .until(2 * MINUTE, "it is stopped", |world| {
            containers(world) == [FoundState::Exited]
        })
        .await;
    assert_eq!(happened(&world, EventKind::InstanceExpired), 1);
    // It does not come back by itself while the lease is the same.
    world.hold(1, HOUR);
    tokio::time::sleep(5 * MINUTE).await;
    assert_eq!(world.records.live()[0].phase, Phase::Stopped);
    world.release(1);
    tokio::time::sleep(SOON).await;
    world.hold(1, HOUR);
    world
        .until(SOON, "it runs again", |world| world.ready().len() == 1)
        .await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn traffic_while_no_daemon_runs_counts() {
    let mut world = ready(11, "idle = \"10m\"").await;
    count(&world, 1);
    tokio::time::sleep(MINUTE).await;
    world.kill().await;
    count(&world, 2);
    tokio::time::sleep(20 * MINUTE).await;
    world.start();
    world.hold(1, HOUR);
    tokio::time::sleep(5 * MINUTE).await;
    assert_eq!(world.ready().len(), 1);
    world
        .until(10 * MINUTE, "it is gone", |world| world.records.live().is_empty())
        .await;
    world.kill().await;
}

/// The number of the process of the only container.
fn process(world: &World) -> u64 {
    let number = world
        .machine
        .with(|state| state.containers.values().next().map(|container| container.process));
    number.unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_switched_off_stays_off_through_a_restart_of_the_daemon() {
    let mut world = ready(21, "grace = \"10s\"\nkeep = \"10m\"").await;
    let id = world.records.live()[0].id;
    let change = async |world: &World, change| {
        let orchestrator = world.orchestrator().unwrap();
        orchestrator.change_times(id, change, None).await.unwrap();
    };
    change(&world, TimeChange::SwitchOff).await;
    world
        .until(MINUTE, "it is off", |world| containers(world) == [FoundState::Exited])
        .await;
    world.kill().await;
    world.start();
    tokio::time::sleep(5 * MINUTE).await;
    assert_eq!(containers(&world), [FoundState::Exited]);
    assert_eq!(world.records.live()[0].phase, Phase::Stopped);
    change(&world, TimeChange::SwitchOn).await;
    world.until(MINUTE, "it runs", |world| world.ready().len() == 1).await;
    assert_eq!(world.records.live()[0].id, id, "it is the same instance");
    // Without its client it is kept as long as one that runs.
    change(&world, TimeChange::SwitchOff).await;
    world.release(1);
    tokio::time::sleep(5 * MINUTE).await;
    assert_eq!(containers(&world), [FoundState::Exited]);
    world
        .until(10 * MINUTE, "it is gone", |world| world.records.live().is_empty())
        .await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_pass_carries_out_what_nobody_was_woken_for() {
    let mut world = ready(23, "").await;
    let (id, before) = (world.records.live()[0].id, process(&world));
    let record = async |world: &World, change| {
        let recorded = world.records.change_times(id, change, clock::now(), None);
        recorded.await.unwrap();
    };
    record(&world, TimeChange::Reset).await;
    let done = |world: &World| world.ready().len() == 1 && world.records.live()[0].times.reset.is_none();
    world.until(MINUTE, "it was restarted", done).await;
    assert!(process(&world) != before, "it has another process");
    record(&world, TimeChange::SwitchOff).await;
    world
        .until(MINUTE, "it is off", |world| containers(world) == [FoundState::Exited])
        .await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_by_hand_is_one_restart_of_the_same_container() {
    let mut world = ready(22, "").await;
    let (id, before) = (world.records.live()[0].id, process(&world));
    let orchestrator = world.orchestrator().unwrap();
    orchestrator.change_times(id, TimeChange::Reset, None).await.unwrap();
    let done = |world: &World| world.ready().len() == 1 && world.records.live()[0].times.reset.is_none();
    world.until(MINUTE, "it was restarted", done).await;
    let after = process(&world);
    assert!(after != before, "it has another process");
    tokio::time::sleep(5 * MINUTE).await;
    assert_eq!(
        (process(&world), containers(&world).len()),
        (after, 1),
        "once, and no more"
    );
    assert_eq!(happened(&world, EventKind::InstanceRestarted), 1);
    world.kill().await;
}
