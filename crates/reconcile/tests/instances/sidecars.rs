//! Further containers of an instance: they come with it, are brought back, and go with it.

use std::time::Duration;

use orchestrator_host::{ContainerName, FoundState};
use orchestrator_model::{EventKind, Instance};

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
    grace = "0s"
    ready = { tcp = 80, within = "10s" }
    resolver = { servers = ["fd00::53"] }
    [[template.default.container]]
    name = "proxy"
    image = "haproxy"
    environment = { MODE = "tcp" }
    [[template.default.container]]
    name = "log"
    image = "vector"
    [template.replica]
    image = "web"
"#;

const SOON: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3600);

async fn ready(seed: u64) -> (World, Instance) {
    let mut world = World::new(seed, SETTINGS);
    world.start();
    world.hold(1, HOUR);
    world.until(SOON, "it is ready", |world| world.ready().len() == 1).await;
    let instance = world.records.live().remove(0);
    (world, instance)
}

fn name(text: &str) -> ContainerName {
    text.parse().unwrap()
}

/// The starts of the containers, by their names, if all of them run.
fn processes(world: &World) -> Option<Vec<(String, u64)>> {
    world.machine.with(|state| {
        let runs = state.containers.len() == 3
            && state
                .containers
                .values()
                .all(|container| container.state == FoundState::Running);
        let all = state.containers.iter();
        runs.then(|| {
            all.map(|((_, name), container)| (name.to_string(), container.process))
                .collect()
        })
    })
}

#[tokio::test(start_paused = true)]
async fn containers_start_in_their_order_and_all_go_with_the_lease() {
    let (mut world, instance) = ready(1).await;
    let names: Vec<&str> = instance
        .containers
        .iter()
        .map(|container| container.name.as_str())
        .collect();
    assert_eq!(names, ["main", "proxy", "log"]);
    assert!(
        instance
            .containers
            .iter()
            .all(|container| container.reference.is_some()),
        "each is recorded"
    );
    let mut started = processes(&world).unwrap();
    started.sort_by_key(|(_, process)| *process);
    assert_eq!(started.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names);
    world.machine.with(|state| {
        let proxy = &state.containers[&(instance.id, name("proxy"))].spec;
        assert_eq!(
            (proxy.image.as_str(), proxy.environment["MODE"].as_str()),
            ("haproxy", "tcp")
        );
        assert_eq!(proxy.environment["ORCHESTRATOR_INSTANCE"], instance.id.to_string());
        // It has the first one's, with the network.
        assert_eq!(
            (
                proxy.resolver.is_none(),
                state.first(instance.id).unwrap().spec.resolver.is_some()
            ),
            (true, true)
        );
    });
    world.release(1);
    world
        .until(SOON, "it is gone", |world| world.records.live().is_empty())
        .await;
    assert!(
        world
            .machine
            .with(|state| state.containers.is_empty() && state.attachments.is_empty())
    );
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_is_started_again_and_the_others_run_on() {
    let (mut world, instance) = ready(2).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    let before = processes(&world).unwrap();
    world.machine.end_container(instance.id, &name("proxy"));
    world
        .until(SOON, "it runs again", |world| {
            processes(world).is_some() && world.ready().len() == 1
        })
        .await;
    let after = processes(&world).unwrap();
    for ((name, before), (_, after)) in before.iter().zip(&after) {
        assert_eq!(before != after, name == "proxy", "{name}");
    }
    let events = world.records.state().events.clone();
    let disturbed = events
        .iter()
        .find(|event| event.kind == EventKind::InstanceDisturbed)
        .unwrap();
    let detail = disturbed.detail.as_deref().unwrap();
    assert!(
        detail.contains("its container proxy ended with exit code 0"),
        "{detail}"
    );
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_somebody_removes_while_no_daemon_looks_is_made_again() {
    let (mut world, instance) = ready(3).await;
    world.kill().await;
    world.machine.remove_container_by_hand(instance.id, &name("log"));
    world.start();
    let minute = Duration::from_secs(60);
    world
        .until(minute, "it is there again", |world| processes(world).is_some())
        .await;
    world.until(SOON, "it is ready", |world| world.ready().len() == 1).await;
    assert_eq!(world.records.live()[0].id, instance.id, "the same instance");
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn all_follow_the_first_one_into_its_new_network() {
    let (mut world, instance) = ready(4).await;
    world.machine.restart_by_hand(instance.id);
    let follow = |world: &World| {
        world.ready().len() == 1
            && world.machine.with(|state| {
                let first = state.first(instance.id).map(|first| first.process);
                let mut others = state.containers.iter().filter(|((_, name), _)| !name.is_main());
                others.all(|(_, container)| container.network == first)
            })
    };
    world.until(SOON, "all share one network", follow).await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_ends_between_two_containers_is_followed_by_one_that_goes_on() {
    for wait in 1..40 {
        let mut world = World::new(5, SETTINGS);
        world.start();
        world.machine.crash_points().crash_after(wait);
        world.hold(1, HOUR);
        let crashed = world.machine.crash_points().clone();
        let _ = tokio::time::timeout(Duration::from_secs(60), crashed.crashed()).await;
        world.kill().await;
        world.start();
        world
            .until(Duration::from_secs(60), "it is ready", |world| world.ready().len() == 1)
            .await;
        assert!(processes(&world).is_some(), "ended at wait {wait}");
        assert_eq!(world.machine.violations(), Vec::<String>::new());
        world.kill().await;
    }
}
