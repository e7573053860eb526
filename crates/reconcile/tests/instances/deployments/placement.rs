//! Services on several hosts: where instances are placed, and what is shown while no host can have one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use orchestrator_host::fake::{FakeMachine, MachineSettings};
use orchestrator_model::{EventKind, HostState, OperationState, PauseScope};
use orchestrator_service::place::KnownHost;
use orchestrator_store::ServiceChange;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::fleet::{Fleet, SETTINGS, SOON, known, web};

/// Hosts `a`, which is public, `b` and `c`.
fn three() -> Vec<KnownHost> {
    vec![known("a", &["public"]), known("b", &[]), known("c", &[])]
}

/// A daemon with three hosts.
async fn of_three(seed: u64) -> Fleet {
    let mut fleet = Fleet::new(seed, Duration::from_millis(300));
    let machine = &fleet.world.machine;
    fleet.world.hosts = ["a", "b", "c"]
        .map(|name| Arc::new(machine.host(name)) as Arc<dyn orchestrator_host::Host>)
        .into();
    know(&fleet, three());
    fleet.start().await;
    fleet
}

/// These hosts are known from now on.
fn know(fleet: &Fleet, hosts: Vec<KnownHost>) {
    fleet.known.send_replace(Arc::new(hosts));
}

fn placed(placement: Value, count: u32) -> Value {
    let mut keys = web("one", count);
    keys["placement"] = placement;
    keys
}

/// How many instances of the service each host has.
fn by_host(fleet: &Fleet) -> BTreeMap<String, usize> {
    let mut hosts = BTreeMap::new();
    for instance in fleet.instances("web") {
        *hosts.entry(instance.host.unwrap().to_string()).or_default() += 1;
    }
    hosts
}

fn hosts<const N: usize>(expected: [(&str, usize); N]) -> BTreeMap<String, usize> {
    expected.map(|(host, count)| (host.to_owned(), count)).into()
}

/// The reason that a slot of the service shows.
fn shown(fleet: &Fleet) -> Option<String> {
    fleet.slots("web").into_iter().find_map(|slot| slot.detail)
}

fn condition(fleet: &Fleet) -> Option<String> {
    let all = fleet.conditions.list().into_iter();
    let mut own = all.filter(|condition| condition.name == "placement web");
    own.find_map(|condition| condition.reason)
}

#[tokio::test(start_paused = true)]
async fn instances_are_spread_over_hosts_and_stay_so_when_they_are_scaled_and_rolled() {
    let mut fleet = of_three(101).await;
    fleet.deploy(web("one", 6));
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    assert_eq!(by_host(&fleet), hosts([("a", 2), ("b", 2), ("c", 2)]));
    fleet.scale(7);
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    assert_eq!(by_host(&fleet), hosts([("a", 3), ("b", 2), ("c", 2)]));
    fleet.deploy(web("two", 3));
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    let all = by_host(&fleet);
    assert_eq!(all.values().sum::<usize>(), 3);
    assert!(all.values().all(|count| *count <= 2), "{all:?}");
    assert_eq!(fleet.watch.broken(), Vec::<String>::new());
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_role_and_a_name_decide_which_host_it_is() {
    let mut fleet = of_three(102).await;
    fleet.deploy(placed(json!({ "role": "public" }), 2));
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    assert_eq!(by_host(&fleet), hosts([("a", 2)]));
    fleet.deploy(placed(json!({ "host": "b" }), 2));
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    assert_eq!(by_host(&fleet), hosts([("b", 2)]), "other hosts are another version");
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_no_host_can_have_says_why_and_goes_on_when_a_host_gets_the_role() {
    let mut fleet = of_three(103).await;
    fleet.deploy(placed(json!({ "role": "edge" }), 2));
    sleep(Duration::from_secs(10)).await;
    let reason = "no host has the role edge";
    assert_eq!(shown(&fleet).as_deref(), Some(reason));
    assert!(condition(&fleet).unwrap().contains(reason));
    assert_eq!(
        fleet.world.records.happened(EventKind::InstanceWaiting),
        1,
        "once a service"
    );
    let running = fleet.world.records.operation("web").unwrap();
    assert_eq!(running.state, OperationState::Running);
    assert_eq!(running.detail.unwrap(), format!("slot 0 waits: {reason}"));
    let failed = fleet.ended("web").await;
    assert_eq!(failed.state, OperationState::Failed);
    assert!(failed.detail.unwrap().ends_with(reason));
    sleep(20 * SOON).await;
    assert!(fleet.instances("web").is_empty());
    assert_eq!(
        fleet.world.records.happened(EventKind::SlotOpened),
        2,
        "no slot is replaced for it"
    );
    let mut hosts_with_role = three();
    hosts_with_role[2].roles.push("edge".to_owned());
    know(&fleet, hosts_with_role);
    sleep(Duration::from_secs(20)).await;
    fleet.judge("web", 2).unwrap();
    assert_eq!(by_host(&fleet), hosts([("c", 2)]));
    assert_eq!((shown(&fleet), condition(&fleet)), (None, None));
    fleet.world.records.change("web", ServiceChange::Remove);
    fleet.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_no_host_can_have_leaves_the_good_one_in_force() {
    let mut fleet = of_three(104).await;
    fleet.deploy(web("one", 2));
    fleet.ended("web").await;
    fleet.watch.promise("web", 2);
    fleet.deploy(placed(json!({ "host": "d" }), 2));
    let failed = fleet.ended("web").await;
    assert_eq!(failed.state, OperationState::Failed);
    let reason = failed.detail.unwrap();
    assert!(
        reason.contains("has no host after 30s: host d is not known"),
        "{reason}"
    );
    sleep(SOON).await;
    fleet.judge("web", 2).unwrap();
    assert_eq!(condition(&fleet), None);
    assert_eq!(fleet.watch.broken(), Vec::<String>::new());
    fleet.kill().await;
}

/// The operation and its slot say what they wait for, long before all services are gone through.
async fn says(fleet: &Fleet, reason: &str) {
    sleep(Duration::from_secs(1)).await;
    let running = fleet.world.records.operation("web").unwrap();
    assert_eq!(running.detail.unwrap(), format!("slot 2 waits: {reason}"));
    assert_eq!(shown(fleet).unwrap(), reason);
}

#[tokio::test(start_paused = true)]
async fn an_operation_says_which_limit_its_instances_wait_for_and_no_longer_than_they_do() {
    let mut fleet = Fleet::new(109, Duration::ZERO);
    fleet
        .world
        .reload(&format!("[limits]\ninstances = 2\nport_share = 1\n{SETTINGS}"));
    fleet.start().await;
    fleet.deploy(web("one", 3));
    sleep(Duration::from_secs(10)).await;
    let reason = "host local has promised all of its instances";
    let running = fleet.world.records.operation("web").unwrap();
    assert_eq!(running.state, OperationState::Running);
    assert_eq!(running.detail.unwrap(), format!("slot 2 waits: {reason}"));
    assert_eq!(shown(&fleet).unwrap(), reason);
    assert_eq!(condition(&fleet), None, "it has a host");
    assert_eq!(fleet.world.records.happened(EventKind::InstanceWaiting), 1);
    // Another limit, and the one from before: both are said at once, and are one wait in the timeline.
    let orchestrator = fleet.world.orchestrator().unwrap();
    let everything = PauseScope::All;
    orchestrator.pause(everything.clone(), None).await.unwrap();
    says(&fleet, "everything is paused; `orchestrator resume` ends that").await;
    orchestrator.resume(everything, None).await.unwrap();
    says(&fleet, reason).await;
    assert_eq!(fleet.world.records.happened(EventKind::InstanceWaiting), 1);
    fleet.world.reload(SETTINGS);
    let done = fleet.ended("web").await;
    assert_eq!((done.state, done.detail), (OperationState::Done, None));
    assert_eq!(shown(&fleet), None);
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn with_unique_each_host_has_one_and_the_next_one_says_why_it_waits() {
    let mut fleet = of_three(105).await;
    fleet.deploy(placed(json!({ "unique": true }), 3));
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    assert_eq!(by_host(&fleet), hosts([("a", 1), ("b", 1), ("c", 1)]));
    fleet.scale(4);
    sleep(SOON).await;
    assert_eq!(by_host(&fleet), hosts([("a", 1), ("b", 1), ("c", 1)]));
    assert!(
        shown(&fleet)
            .unwrap()
            .contains("each host that may have it has an instance")
    );
    // The operation waits for another host, and says so.
    let waits = |fleet: &Fleet| {
        let operation = fleet.world.records.operation("web").unwrap();
        assert_eq!(operation.state, OperationState::Running);
        operation.detail
    };
    assert!(
        waits(&fleet)
            .unwrap()
            .starts_with("slot 3 waits: each host that may have it")
    );
    fleet.scale(5);
    sleep(SOON).await;
    assert!(
        waits(&fleet)
            .unwrap()
            .starts_with("slot 3 waits: each host that may have it")
    );
    fleet.scale(3);
    let done = fleet.ended("web").await;
    assert_eq!((done.state, done.detail), (OperationState::Done, None));
    fleet.scale(4);
    sleep(SOON).await;
    // The next version has room on every host beside the one before.
    let mut next = placed(json!({ "unique": true }), 3);
    next["image"] = json!("two");
    fleet.deploy(next);
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    assert_eq!(by_host(&fleet), hosts([("a", 1), ("b", 1), ("c", 1)]));
    assert_eq!(fleet.images("web"), ["two"; 3]);
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_drains_keeps_what_it_has_and_is_given_nothing() {
    let mut fleet = of_three(106).await;
    fleet.deploy(web("one", 3));
    fleet.ended("web").await;
    let mut drained = three();
    drained[1].state = HostState::Draining;
    know(&fleet, drained);
    fleet.scale(5);
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    assert_eq!(by_host(&fleet), hosts([("a", 2), ("b", 1), ("c", 2)]));
    let gone = fleet.instances("web").into_iter();
    let gone = gone.filter(|one| one.host.as_ref().unwrap().as_str() == "b");
    let orchestrator = fleet.world.orchestrator().unwrap();
    for one in gone {
        orchestrator.destroy(one.id, None).await.unwrap();
    }
    sleep(SOON).await;
    fleet.judge("web", 5).unwrap();
    assert_eq!(by_host(&fleet), hosts([("a", 3), ("c", 2)]));
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_host_cannot_bring_up_is_placed_on_another_one() {
    let mut fleet = Fleet::new(107, Duration::from_millis(300));
    let broken = FakeMachine::new(MachineSettings {
        seed: 107,
        engines: vec!["docker".to_owned()],
        bridges: vec![("br0".to_owned(), 1023)],
        answers_within: Duration::from_secs(2),
        engine_limit: Duration::from_secs(5),
        slot_of: |_| None,
    });
    broken.stop_engine("docker");
    fleet.world.hosts = vec![Arc::new(broken.host("a")), Arc::new(fleet.world.machine.host("b"))];
    know(&fleet, vec![known("a", &[]), known("b", &[])]);
    fleet.start().await;
    fleet.deploy(web("one", 2));
    let serving = |fleet: &Fleet| {
        let endpoints = fleet.endpoints.borrow();
        let members = endpoints.services["web"].serving();
        members.map(|(_, member)| member.host.to_string()).collect::<Vec<_>>()
    };
    sleep(SOON).await;
    assert_eq!(
        serving(&fleet),
        ["b", "b"],
        "{:?}",
        fleet.world.records.operation("web")
    );
    // The operation ends when the host can remove what it could not bring up.
    assert_eq!(
        fleet.world.records.operation("web").unwrap().state,
        OperationState::Running
    );
    broken.start_engine("docker", false);
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    assert_eq!(by_host(&fleet), hosts([("b", 2)]));
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn one_more_instance_has_none_of_the_others_observed() {
    let mut fleet = of_three(108).await;
    fleet.deploy(web("one", 50));
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    sleep(SOON).await;
    let observed = fleet.world.machine.calls("see");
    fleet.scale(51);
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    let observed = fleet.world.machine.calls("see") - observed;
    // The new one is, as it comes up; the periodic checks of the others are not due so soon.
    assert!(observed < 25, "{observed} observations for one instance");
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn the_slots_that_wait_for_a_host_are_counted_and_recorded_in_bounded_pieces() {
    const SLOTS: u32 = 250;
    let mut fleet = of_three(109).await;
    fleet.deploy(placed(json!({ "role": "edge" }), SLOTS));
    sleep(Duration::from_secs(20)).await;
    let waiting = fleet.slots("web").into_iter().filter(|slot| slot.detail.is_some());
    assert_eq!(waiting.count(), SLOTS as usize);
    let largest = |fleet: &Fleet| fleet.world.records.state().services.largest;
    assert_eq!(largest(&fleet), 100);
    assert_eq!(fleet.world.records.happened(EventKind::InstanceWaiting), 1);
    // Once more, with nothing to do: what the hosts carry is asked once for each, and not for each slot.
    fleet.loads.store(0, Ordering::Relaxed);
    know(&fleet, three());
    sleep(Duration::from_secs(5)).await;
    let asked = fleet.loads.load(Ordering::Relaxed);
    assert!((3..30).contains(&asked), "{asked} questions for {SLOTS} slots");
    let mut hosts_with_role = three();
    hosts_with_role[2].roles.push("edge".to_owned());
    know(&fleet, hosts_with_role);
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    assert_eq!(
        (by_host(&fleet), largest(&fleet)),
        (hosts([("c", SLOTS as usize)]), 100)
    );
    fleet.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_place_that_changes_while_an_instance_is_recorded_leaves_one_on_each_host() {
    for crash_after in [None, Some(1), Some(3), Some(6), Some(10), Some(15), Some(25)] {
        let mut fleet = of_three(110 + crash_after.unwrap_or_default()).await;
        fleet.deploy(placed(json!({ "unique": true }), 2));
        let mut changed = three();
        for state in [HostState::Draining, HostState::Active, HostState::Draining] {
            changed[0].state = state;
            know(&fleet, changed.clone());
            tokio::task::yield_now().await;
        }
        if let Some(waits) = crash_after {
            fleet.crash(waits).await;
        }
        assert_eq!(fleet.ended("web").await.state, OperationState::Done, "{crash_after:?}");
        sleep(SOON).await;
        fleet.judge("web", 2).unwrap();
        let all = by_host(&fleet);
        assert!(
            all.len() == 2 && all.values().all(|count| *count == 1),
            "{crash_after:?}: {all:?}"
        );
        fleet.kill().await;
    }
}
