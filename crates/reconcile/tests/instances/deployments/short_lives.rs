//! Instances that are ready, pass their checks, and die some seconds later.

use std::collections::BTreeMap;
use std::time::Duration;

use orchestrator_model::{EventKind, InstanceId, OperationState, Phase};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::fleet::{Fleet, SOON, web};

const LIFE: Duration = Duration::from_secs(4);

/// Instances of this image die four seconds after they were ready, while `goes_on`. Returns how many there were at most.
async fn die(fleet: &Fleet, image: &str, goes_on: impl Fn(&Fleet) -> bool) -> usize {
    let mut ready: BTreeMap<InstanceId, Instant> = BTreeMap::new();
    let mut most = 0;
    while goes_on(fleet) {
        let instances = fleet.instances("web");
        most = most.max(instances.len());
        for instance in instances.iter().filter(|one| one.containers[0].image == image) {
            if instance.phase != Phase::Ready {
                ready.remove(&instance.id);
            } else if ready.entry(instance.id).or_insert_with(Instant::now).elapsed() >= LIFE {
                ready.remove(&instance.id);
                fleet.world.machine.end(instance.id);
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
    most
}

/// Version 2 dies again and again, until it is given up or ten minutes are over. Version 1 stays good.
async fn is_given_up(fleet: &Fleet, count: usize) {
    fleet.watch.look_away();
    let begun = Instant::now();
    let is_tried = |fleet: &Fleet| {
        assert_eq!(
            fleet.recorded("web").good_version,
            Some(1),
            "version 2 never served steadily"
        );
        fleet.recorded("web").version == 2 && begun.elapsed() < 5 * SOON
    };
    let most = die(fleet, "two", is_tried).await;
    assert!(most <= count + 1, "{most} stood for {count}");
    let service = fleet.recorded("web");
    let reason = service.reason.unwrap();
    assert!(reason.contains("2 of its instances failed in a row"), "{reason}");
    sleep(SOON).await;
    fleet.judge("web", count).unwrap();
    assert!(fleet.images("web").iter().all(|image| image == "one"));
}

#[tokio::test(start_paused = true)]
async fn a_version_that_dies_after_it_served_fails_its_operation_and_is_rolled_back() {
    let mut fleet = Fleet::serving(31, 2).await;
    let mut keys = web("two", 2);
    keys["strategy"]["pause"] = json!("20s");
    fleet.deploy(keys);
    is_given_up(&fleet, 2).await;
    assert_eq!(fleet.ended("web").await.state, OperationState::Failed);
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_dies_when_its_operation_is_done_is_rolled_back_too() {
    let mut fleet = Fleet::serving(33, 1).await;
    fleet.deploy(web("two", 1));
    is_given_up(&fleet, 1).await;
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    assert_eq!(fleet.world.records.happened(EventKind::ServiceRolledBack), 1);
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_good_version_that_begins_to_die_backs_off_and_is_told_of() {
    let mut fleet = Fleet::serving(32, 1).await;
    fleet.watch.promise("web", 0);
    let opened = |fleet: &Fleet| fleet.world.records.happened(EventKind::SlotOpened);
    let (before, begun) = (opened(&fleet), Instant::now());
    let most = die(&fleet, "one", |_| begun.elapsed() < 5 * SOON).await;
    let opened = opened(&fleet) - before;
    assert!((3..=12).contains(&opened), "{opened} replacements in ten minutes");
    assert!(most <= 2, "{most} stood for one");
    let service = fleet.recorded("web");
    assert!(service.failures >= 4, "{} failures are told", service.failures);
    sleep(5 * SOON).await;
    fleet.judge("web", 1).unwrap();
    assert_eq!(fleet.recorded("web").failures, 0, "it served steadily");
    fleet.kill().await;
}
