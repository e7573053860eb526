//! Services with an instance for each client: they follow the clients, and a new version reaches them in turns.

use std::time::Duration;

use orchestrator_model::{EndpointState, EventKind, Instance, OperationState, Phase};
use orchestrator_store::ServiceChange;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::fleet::{BROKEN, Fleet, SOON};

const LONG: Duration = Duration::from_secs(100_000);

fn dns(image: &str) -> Value {
    dns_with_grace(image, "2s")
}

fn dns_with_grace(image: &str, grace: &str) -> Value {
    json!({
        "name": "dns",
        "instances": "per-client",
        "link": "br0",
        "image": image,
        "grace": grace,
        "ready": { "tcp": 53, "within": "5s" },
        "ports": { "dns": 53 },
    })
}

fn images(fleet: &Fleet) -> Vec<String> {
    let live = fleet.world.records.live().into_iter();
    let ready = live.filter(|instance| instance.phase == Phase::Ready);
    ready.map(|instance| instance.containers[0].image.clone()).collect()
}

fn serving(fleet: &Fleet) -> usize {
    let endpoints = fleet.endpoints.borrow().clone();
    endpoints
        .services
        .get("dns")
        .map_or(0, |service| service.serving().count())
}

/// A daemon whose service each of so many clients has.
async fn serving_clients(seed: u64, count: u8) -> Fleet {
    serving_clients_of(seed, count, dns("one")).await
}

async fn serving_clients_of(seed: u64, count: u8, service: Value) -> Fleet {
    let mut fleet = Fleet::new(seed, Duration::ZERO);
    fleet.start().await;
    (1..=count).for_each(|number| fleet.world.hold(number, LONG));
    sleep(Duration::from_secs(40)).await;
    fleet.deploy(service);
    // Clients that are there before get their instances without waiting for the next full pass.
    let all = usize::from(count);
    fleet
        .world
        .until(Duration::from_secs(15), "all have theirs", |world| {
            world.ready().len() == all
        })
        .await;
    sleep(SOON).await;
    assert_eq!(serving(&fleet), all);
    fleet
}

#[tokio::test(start_paused = true)]
async fn each_client_is_an_endpoint_while_its_instance_is_ready() {
    let mut fleet = serving_clients(31, 2).await;
    let endpoints = fleet.endpoints.borrow().clone();
    let members = &endpoints.services["dns"].members;
    assert!(members.values().all(|member| member.ports["dns"].number == 53));
    let live = fleet.world.records.live();
    for instance in &live {
        let slot = orchestrator_model::Slot::new(instance.client().unwrap().to_string());
        assert_eq!(Some(members[&slot].address), instance.address());
    }
    fleet.world.release(1);
    fleet
        .world
        .until(SOON, "one is gone", |world| world.records.live().len() == 1)
        .await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(serving(&fleet), 1);
    fleet.world.records.change("dns", ServiceChange::Remove);
    assert_eq!(fleet.ended("dns").await.state, OperationState::Done);
    assert_eq!(fleet.world.records.live(), [], "they are gone when the removal ends");
    fleet.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_version_replaces_the_instances_of_clients_one_after_the_other() {
    let mut fleet = serving_clients(32, 3).await;
    fleet.deploy(dns("two"));
    let mut fewest = 3;
    while fleet.world.records.operation("dns").unwrap().state == OperationState::Running {
        let is_up = |one: &Instance| matches!(one.phase, Phase::Ready | Phase::Ending);
        fewest = fewest.min(fleet.world.records.live().iter().filter(|one| is_up(one)).count());
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        fleet.world.records.operation("dns").unwrap().state,
        OperationState::Done
    );
    assert_eq!(images(&fleet), ["two"; 3]);
    assert_eq!(fewest, 2, "one client at a time is without");
    let draining = fleet.endpoints.borrow().services["dns"]
        .members
        .values()
        .filter(|member| member.state == EndpointState::Draining)
        .count();
    assert_eq!((serving(&fleet), draining), (3, 0));
    assert_eq!(
        fleet.world.records.happened(EventKind::InstanceWanted),
        6,
        "each was made once"
    );
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_fails_reaches_one_client_and_goes_back() {
    let mut fleet = serving_clients(33, 3).await;
    fleet.deploy(dns(BROKEN));
    let failed = fleet.ended("dns").await;
    assert_eq!(failed.state, OperationState::Failed, "{failed:?}");
    assert_eq!(images(&fleet).len(), 2);
    sleep(SOON).await;
    assert_eq!(images(&fleet), ["one"; 3]);
    assert_eq!(fleet.world.records.happened(EventKind::InstanceWanted), 5);
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_ends_at_any_wait_goes_on_with_the_clients() {
    for crash in (1..60).step_by(6) {
        let mut fleet = serving_clients(34, 2).await;
        fleet.deploy(dns("two"));
        fleet.crash(crash).await;
        sleep(2 * SOON).await;
        assert_eq!(images(&fleet), ["two"; 2], "at wait {crash}");
        fleet
            .judge_machine()
            .unwrap_or_else(|fault| panic!("at wait {crash}: {fault}"));
        fleet.kill().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_that_fails_reaches_one_client_however_long_the_grace_is() {
    let mut fleet = serving_clients_of(35, 3, dns_with_grace("one", "3m")).await;
    fleet.deploy(dns_with_grace(BROKEN, "3m"));
    sleep(Duration::from_secs(600)).await;
    let operation = fleet.world.records.operation("dns").unwrap();
    assert_eq!(operation.state, OperationState::Failed, "{operation:?}");
    assert_eq!(images(&fleet), ["one"; 3]);
    assert_eq!(fleet.world.records.happened(EventKind::InstanceWanted), 5);
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_first_version_that_fails_fails_its_operation() {
    let mut fleet = Fleet::new(36, Duration::ZERO);
    fleet.start().await;
    fleet.world.hold(1, LONG);
    sleep(Duration::from_secs(40)).await;
    fleet.deploy(dns(BROKEN));
    sleep(Duration::from_secs(30)).await;
    let running = fleet.world.records.operation("dns").unwrap();
    assert_eq!(running.state, OperationState::Running, "nothing is ready yet");
    sleep(Duration::from_secs(60)).await;
    let failed = fleet.world.records.operation("dns").unwrap();
    assert_eq!(failed.state, OperationState::Failed, "{failed:?}");
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_in_its_turn_is_no_fault_of_the_version() {
    let mut fleet = serving_clients_of(37, 2, dns_with_grace("one", "90s")).await;
    fleet.deploy(dns_with_grace("two", "90s"));
    fleet
        .world
        .until(Duration::from_secs(300), "the first has another", |world| {
            let is_new = |one: &Instance| one.containers[0].image == "two" && one.phase != Phase::Ready;
            world.records.live().iter().any(is_new)
        })
        .await;
    let live = fleet.world.records.live();
    let new = live.iter().find(|one| one.containers[0].image == "two").unwrap();
    let number = (1..=2).find(|number| Some(fleet.world.records.hold(*number, LONG)) == new.client());
    fleet.world.release(number.unwrap());
    sleep(Duration::from_secs(900)).await;
    let operation = fleet.world.records.operation("dns").unwrap();
    assert_eq!(operation.state, OperationState::Done, "{operation:?}");
    assert_eq!(images(&fleet), ["two"]);
    fleet.kill().await;
}
