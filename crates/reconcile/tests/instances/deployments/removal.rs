//! Services are removed: also those that fail, that are paused, or whose version cannot be read any more.

use std::time::Duration;

use orchestrator_model::{OperationKind, OperationState};
use orchestrator_store::ServiceChange;
use serde_json::json;
use tokio::time::sleep;

use super::fleet::{BROKEN, Fleet, SOON, web};

/// Settings in which the engine of the service has another name, so that its file cannot be read any more.
const OTHER_ENGINE: &str = r#"
    [engine.podman]
    [[link]]
    bridge = "br0"
    address = "fd00::1/64"
    pool = "fd00::1:0/112"
    instances = "fd00::2:0/112"
"#;

#[tokio::test(start_paused = true)]
async fn a_removal_has_ended_only_when_nothing_is_left() {
    let mut fleet = Fleet::serving(21, 3).await;
    fleet.watch.promise("web", 0);
    fleet.world.records.change("web", ServiceChange::Remove);
    let ended = fleet.ended("web").await;
    assert_eq!((ended.kind, ended.state), (OperationKind::Remove, OperationState::Done));
    assert_eq!(fleet.instances("web"), [], "its instances are gone when it ends");
    assert_eq!(fleet.watch.broken(), Vec::<String>::new());
    fleet.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn instances_of_a_service_are_removed_without_a_grace_period() {
    let mut fleet = Fleet::serving(22, 1).await;
    fleet.watch.promise("web", 0);
    fleet.world.records.change("web", ServiceChange::Remove);
    let began = tokio::time::Instant::now();
    fleet.ended("web").await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_fails_while_it_is_removed_is_not_gone_back_from() {
    let mut fleet = Fleet::serving(23, 1).await;
    fleet.watch.promise("web", 0);
    let mut keys = web(BROKEN, 1);
    keys["strategy"]["failures"] = json!(1);
    fleet.deploy(keys);
    // It is about to be given up: the first failure is counted after thirty seconds.
    sleep(Duration::from_secs(25)).await;
    fleet.kill().await;
    fleet.world.records.change("web", ServiceChange::Remove);
    sleep(Duration::from_secs(30)).await;
    fleet.start().await;
    let ended = fleet.ended("web").await;
    assert_eq!((ended.kind, ended.state), (OperationKind::Remove, OperationState::Done));
    fleet.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_service_is_removed() {
    let mut fleet = Fleet::serving(24, 2).await;
    fleet.watch.promise("web", 0);
    fleet.world.records.change("web", ServiceChange::Pause);
    fleet.deploy(web("two", 2));
    fleet.world.records.change("web", ServiceChange::Remove);
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    fleet.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_cannot_be_read_keeps_its_instances_and_is_removed() {
    let mut fleet = Fleet::serving(25, 2).await;
    fleet.kill().await;
    fleet.world.reload(OTHER_ENGINE);
    fleet.start().await;
    sleep(SOON).await;
    assert_eq!(fleet.instances("web").len(), 2);
    assert_eq!(fleet.watch.broken(), Vec::<String>::new());
    fleet.watch.promise("web", 0);
    fleet.world.records.change("web", ServiceChange::Remove);
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    fleet.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn clients_keep_the_instances_of_a_service_that_cannot_be_read() {
    let mut fleet = Fleet::new(26, Duration::ZERO);
    fleet.start().await;
    fleet.deploy(json!({ "name": "web", "instances": "per-client", "link": "br0", "image": "one" }));
    fleet.world.hold(1, Duration::from_secs(100_000));
    fleet
        .world
        .until(SOON, "the client has its instance", |world| world.ready().len() == 1)
        .await;
    fleet.kill().await;
    fleet.world.reload(OTHER_ENGINE);
    fleet.start().await;
    sleep(SOON).await;
    assert_eq!(fleet.world.ready().len(), 1);
    fleet.world.records.change("web", ServiceChange::Remove);
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    fleet.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_ends_at_any_wait_of_a_removal_leaves_nothing() {
    let waits = {
        let mut fleet = Fleet::serving(27, 2).await;
        let before = fleet.world.machine.crash_points().passed();
        fleet.world.records.change("web", ServiceChange::Remove);
        fleet.ended("web").await;
        let waits = fleet.world.machine.crash_points().passed() - before;
        fleet.kill().await;
        waits
    };
    for crash in (1..waits).step_by(3) {
        let mut fleet = Fleet::serving(27, 2).await;
        fleet.watch.promise("web", 0);
        fleet.world.records.change("web", ServiceChange::Remove);
        fleet.crash(crash).await;
        assert_eq!(fleet.ended("web").await.state, OperationState::Done, "at wait {crash}");
        assert_eq!(fleet.watch.broken(), Vec::<String>::new(), "at wait {crash}");
        fleet.nothing_is_left().await;
    }
}
