//! What operators do with a service, one thing after the other.

use std::time::Duration;

use orchestrator_model::{EventKind, Health, OperationState, Phase, Slot};
use orchestrator_store::ServiceChange;
use serde_json::json;
use tokio::time::sleep;

use super::fleet::{BROKEN, Fleet, SOON, web};

const NOTHING: Vec<String> = Vec::new();

#[tokio::test(start_paused = true)]
async fn a_service_is_deployed_scaled_and_rolled_with_all_that_was_promised() {
    let mut fleet = Fleet::serving(1, 2).await;
    fleet.judge("web", 2).unwrap();
    fleet.scale(4);
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    fleet.judge("web", 4).unwrap();
    fleet.watch.promise("web", 4);
    fleet.deploy(web("two", 4));
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    fleet.judge("web", 4).unwrap();
    assert_eq!(fleet.images("web"), ["two"; 4]);
    fleet.watch.promise("web", 1);
    fleet.scale(1);
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    sleep(SOON).await;
    fleet.judge("web", 1).unwrap();
    assert_eq!(fleet.watch.broken(), NOTHING);
    fleet.watch.promise("web", 0);
    fleet.world.records.change("web", ServiceChange::Remove);
    fleet.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn other_routes_keep_the_instances_and_a_bump_replaces_all() {
    let mut fleet = Fleet::serving(2, 2).await;
    let ids = |fleet: &Fleet| fleet.instances("web").iter().map(|one| one.id).collect::<Vec<_>>();
    let before = ids(&fleet);
    let mut keys = web("one", 2);
    keys["route"][0]["host"] = json!("shop.example");
    fleet.deploy(keys.clone());
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    assert_eq!(ids(&fleet), before);
    let host = fleet.endpoints.borrow().services["web"].routes[0].host.clone();
    assert_eq!(host, "shop.example");
    fleet.bump(&keys);
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    assert!(ids(&fleet).iter().all(|id| !before.contains(id)));
    fleet.judge("web", 2).unwrap();
    assert_eq!(fleet.watch.broken(), NOTHING);
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_fails_is_given_up_with_the_reason_and_the_good_one_serves_on() {
    let mut fleet = Fleet::serving(3, 3).await;
    let before = fleet.instances("web");
    fleet.deploy(web(BROKEN, 3));
    let failed = fleet.ended("web").await;
    assert_eq!(failed.state, OperationState::Failed);
    let reason = failed.detail.unwrap();
    assert!(reason.contains("2 of its instances failed in a row"), "{reason}");
    assert!(
        reason.contains("it refuses connections"),
        "what its checks found is said: {reason}"
    );
    sleep(SOON).await;
    fleet.judge("web", 3).unwrap();
    assert_eq!(fleet.images("web"), ["one"; 3]);
    let kept = before
        .iter()
        .filter(|one| fleet.instances("web").iter().any(|now| now.id == one.id));
    assert_eq!(kept.count(), 3, "none of the good ones was touched");
    assert_eq!(fleet.watch.broken(), NOTHING);
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_first_version_that_fails_is_tried_again_slowly() {
    let mut fleet = Fleet::new(4, Duration::ZERO);
    fleet.start().await;
    fleet.deploy(web(BROKEN, 1));
    assert_eq!(fleet.ended("web").await.state, OperationState::Failed);
    let opened = |fleet: &Fleet| fleet.world.records.happened(EventKind::SlotOpened);
    let before = opened(&fleet);
    sleep(Duration::from_secs(1200)).await;
    let tries = opened(&fleet) - before;
    assert!((2..15).contains(&tries), "{tries} tries in twenty minutes");
    fleet.deploy(web("one", 1));
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    fleet.judge("web", 1).unwrap();
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_rolled_while_it_is_paused_and_what_is_lost_is_replaced() {
    let mut fleet = Fleet::serving(5, 2).await;
    fleet.world.records.change("web", ServiceChange::Pause);
    fleet.deploy(web("two", 2));
    sleep(SOON).await;
    assert_eq!(fleet.images("web"), ["one"; 2]);
    fleet.watch.promise("web", 1);
    let lost = fleet.instances("web").remove(0);
    fleet.world.machine.remove_by_hand(lost.id);
    sleep(SOON).await;
    assert_eq!(fleet.images("web"), ["one"; 2]);
    fleet.world.records.change("web", ServiceChange::Resume);
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    assert_eq!(fleet.images("web"), ["two"; 2]);
    fleet.judge("web", 2).unwrap();
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_another_overtakes_ends_with_the_last_one() {
    let mut fleet = Fleet::serving(6, 3).await;
    for image in ["two", BROKEN, "three", "four"] {
        fleet.deploy(web(image, 3));
        sleep(Duration::from_millis(1500)).await;
    }
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    assert_eq!(fleet.images("web"), ["four"; 3]);
    fleet.judge("web", 3).unwrap();
    assert_eq!(fleet.watch.broken(), NOTHING);
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn routers_that_are_late_lead_to_nothing_that_is_gone() {
    let mut fleet = Fleet::new(7, Duration::from_secs(40));
    fleet.start().await;
    fleet.deploy(web("one", 2));
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    fleet.watch.promise("web", 2);
    fleet.deploy(web("two", 2));
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    fleet.judge("web", 2).unwrap();
    assert_eq!(fleet.watch.broken(), NOTHING);
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn stop_first_replaces_one_after_the_other() {
    let mut fleet = Fleet::new(8, Duration::from_millis(300));
    fleet.start().await;
    let keys = |image: &str| {
        let mut keys = web(image, 3);
        keys["strategy"]["order"] = json!("stop-first");
        keys
    };
    fleet.deploy(keys("one"));
    fleet.ended("web").await;
    fleet.watch.promise("web", 2);
    fleet.deploy(keys("two"));
    let mut most = 0;
    while fleet.world.records.operation("web").unwrap().state == OperationState::Running {
        most = most.max(fleet.instances("web").len());
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(most, 3);
    fleet.judge("web", 3).unwrap();
    assert_eq!(fleet.watch.broken(), NOTHING);
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_the_engine_loses_serves_again() {
    let mut fleet = Fleet::serving(9, 2).await;
    fleet.watch.promise("web", 0);
    let lost = fleet.instances("web").remove(0);
    fleet.world.machine.remove_by_hand(lost.id);
    let is_noticed = |fleet: &Fleet| {
        let slots = fleet.slots("web");
        slots.iter().any(|slot| slot.health != Health::Passing)
    };
    let noticed = async {
        while !is_noticed(&fleet) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, noticed).await.unwrap();
    sleep(SOON).await;
    fleet.judge("web", 2).unwrap();
    fleet.world.machine.start_engine("docker", true);
    sleep(SOON).await;
    fleet.judge("web", 2).unwrap();
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_ends_at_any_wait_of_a_roll_loses_no_request() {
    let waits = {
        let mut fleet = Fleet::serving(10, 2).await;
        let before = fleet.world.machine.crash_points().passed();
        fleet.deploy(web("two", 2));
        fleet.ended("web").await;
        let waits = fleet.world.machine.crash_points().passed() - before;
        fleet.kill().await;
        waits
    };
    for crash in (1..waits).step_by(4) {
        let mut fleet = Fleet::serving(10, 2).await;
        fleet.deploy(web("two", 2));
        fleet.crash(crash).await;
        assert_eq!(fleet.ended("web").await.state, OperationState::Done, "at wait {crash}");
        assert_eq!(fleet.images("web"), ["two"; 2], "at wait {crash}");
        sleep(SOON).await;
        fleet
            .judge("web", 2)
            .unwrap_or_else(|fault| panic!("at wait {crash}: {fault}"));
        assert_eq!(fleet.watch.broken(), NOTHING, "at wait {crash}");
        fleet.kill().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_waits_for_its_template_without_asking_on_and_on() {
    let mut fleet = Fleet::new(11, Duration::ZERO);
    fleet.start().await;
    fleet.world.records.state().faults.latency = Duration::from_millis(2);
    fleet.deploy_before_refresh(web("one", 1));
    sleep(Duration::from_secs(20)).await;
    let calls = fleet.world.records.state().asked.len();
    assert!(calls < 300, "{calls} questions to the record in 20 seconds");
    assert_eq!(fleet.world.records.happened(EventKind::Refused), 0, "it is only early");
    fleet.world.refresh();
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_network_that_is_gone_is_reported_once_and_not_asked_for_on_and_on() {
    let mut fleet = Fleet::new(12, Duration::ZERO);
    fleet.start().await;
    let mut keys = web("one", 1);
    keys["network"] = json!("br1");
    fleet.deploy(keys);
    fleet.ended("web").await;
    fleet.kill().await;
    fleet.world.reload(
        "[[link]]\nbridge = \"br0\"\naddress = \"fd00::1/64\"\npool = \"fd00::1:0/112\"\n\
         instances = \"fd00::2:0/112\"\n",
    );
    fleet.start().await;
    fleet.world.records.state().faults.latency = Duration::from_millis(2);
    sleep(Duration::from_secs(5)).await;
    let before = fleet.world.records.state().asked.len();
    fleet.scale(2);
    sleep(Duration::from_secs(20)).await;
    let calls = fleet.world.records.state().asked.len() - before;
    assert!(calls < 300, "{calls} questions to the record in 20 seconds");
    assert_eq!(fleet.world.records.happened(EventKind::Refused), 1);
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn many_instances_are_opened_and_closed_in_steps() {
    let mut fleet = Fleet::new(13, Duration::ZERO);
    fleet.start().await;
    fleet.deploy(web("one", 105));
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    fleet.judge("web", 105).unwrap();
    fleet.scale(0);
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    fleet.world.records.change("web", ServiceChange::Remove);
    fleet.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_switched_off_is_not_routed_to_and_not_replaced() {
    let mut fleet = Fleet::serving(14, 2).await;
    fleet.watch.promise("web", 0);
    let off = fleet.instances("web").remove(0);
    let orchestrator = fleet.world.orchestrator().unwrap();
    orchestrator
        .change_times(off.id, orchestrator_model::TimeChange::SwitchOff, None)
        .await
        .unwrap();
    sleep(SOON).await;
    let endpoints = fleet.endpoints.borrow().clone();
    let serving: Vec<&Slot> = endpoints.services["web"].serving().map(|(slot, _)| slot).collect();
    assert_eq!(serving.len(), 1);
    assert_ne!(*serving[0], off.slot);
    let now = fleet.instances("web").into_iter().find(|one| one.id == off.id).unwrap();
    assert_eq!(now.phase, Phase::Stopped);
    fleet.kill().await;
}
