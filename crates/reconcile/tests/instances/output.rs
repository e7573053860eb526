//! The last output of an instance is in its timeline, and neither a hanging engine nor a crash loop makes it a burden.

use std::time::Duration;

use orchestrator_host::ContainerName;
use orchestrator_model::{EventKind, InstanceId};

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
    [[template.default.container]]
    name = "proxy"
    image = "haproxy"
    [template.replica]
    image = "web"
"#;

const SOON: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3600);

/// The details of the outputs that were recorded.
fn outputs(world: &World) -> Vec<String> {
    let state = world.records.state();
    let of_kind = state
        .events
        .iter()
        .filter(|event| event.kind == EventKind::InstanceOutput);
    of_kind.filter_map(|event| event.detail.clone()).collect()
}

/// The last event of an instance.
fn last_of(world: &World, id: InstanceId) -> Option<EventKind> {
    let state = world.records.state();
    let mut of_this = state.events.iter().filter(|event| event.instance == Some(id));
    of_this.next_back().map(|event| event.kind)
}

async fn ready(seed: u64) -> (World, InstanceId) {
    let mut world = World::new(seed, SETTINGS);
    world.start();
    world.hold(1, HOUR);
    world.until(SOON, "it is ready", |world| world.ready().len() == 1).await;
    let id = world.records.live()[0].id;
    (world, id)
}

#[tokio::test(start_paused = true)]
async fn the_output_of_a_container_that_ended_is_recorded_before_its_next_start() {
    let (mut world, id) = ready(1).await;
    assert_eq!(outputs(&world), Vec::<String>::new());
    world.machine.end(id);
    world
        .until(SOON, "it is noticed", |world| outputs(world).len() == 1)
        .await;
    assert_eq!(outputs(&world), ["start 1"], "of the start that ended");
    world
        .until(SOON, "it is ready again", |world| world.ready().len() == 1)
        .await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn the_output_of_a_further_container_says_whose_it_is() {
    let (mut world, id) = ready(2).await;
    world
        .machine
        .end_container(id, &"proxy".parse::<ContainerName>().unwrap());
    world
        .until(SOON, "it is noticed", |world| outputs(world).len() == 1)
        .await;
    assert_eq!(outputs(&world), ["container proxy:\nstart 2"]);
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_removed_by_hand_or_lost_its_wiring_has_nothing_to_say() {
    let (mut world, id) = ready(3).await;
    world.machine.unwire_by_hand(id);
    world
        .until(SOON, "it is noticed", |world| {
            world.records.happened(EventKind::InstanceDisturbed) == 1
        })
        .await;
    world
        .until(SOON, "it is ready again", |world| world.ready().len() == 1)
        .await;
    world.machine.remove_by_hand(id);
    world
        .until(SOON, "it is ready again", |world| world.ready().len() == 1)
        .await;
    assert_eq!(outputs(&world), Vec::<String>::new());
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn the_output_of_one_that_never_answers_is_recorded_once() {
    let mut world = World::new(4, SETTINGS);
    world.machine.with(|state| state.silent.insert("web".to_owned()));
    world.start();
    world.hold(1, HOUR);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(world.records.live()[0].attempts > 3);
    assert_eq!(outputs(&world).len(), 1, "{:?}", outputs(&world));
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_again_and_again_does_not_fill_the_timeline() {
    let (mut world, id) = ready(5).await;
    for times in 1..=20 {
        world.machine.end(id);
        let span = Duration::from_secs(90);
        world
            .until(span, "it is ready again", |world| {
                world.records.happened(EventKind::InstanceReady) == times + 1
            })
            .await;
    }
    assert_eq!(outputs(&world).len(), 3);
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_read_in_time_holds_nothing_up() {
    let (mut world, id) = ready(6).await;
    world.machine.with(|state| state.logs_hang = true);
    world.machine.end(id);
    world
        .until(SOON, "it is ready again", |world| {
            world.records.happened(EventKind::InstanceReady) == 2
        })
        .await;
    assert_eq!(outputs(&world), ["its last output could not be read within 2s"]);
    world.machine.end(id);
    world.release(1);
    world
        .until(SOON, "it is gone", |world| world.records.live().is_empty())
        .await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn the_last_output_of_one_that_is_removed_is_kept_once() {
    let (mut world, id) = ready(7).await;
    // Its engine can still read, and removes only later.
    world.machine.with(|state| state.keeps = true);
    world.release(1);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.records.live().len(), 1, "it is tried again and again");
    assert_eq!(outputs(&world), ["start 1", "container proxy:\nstart 2"]);
    world.machine.with(|state| state.keeps = false);
    let span = Duration::from_secs(120);
    world
        .until(span, "it is gone", |world| world.records.live().is_empty())
        .await;
    assert_eq!(outputs(&world).len(), 2);
    assert_eq!(last_of(&world, id), Some(EventKind::InstanceRemoved));
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn one_whose_output_cannot_be_read_is_removed_all_the_same() {
    let (mut world, id) = ready(8).await;
    world.machine.remove_by_hand(id);
    world.machine.with(|state| state.logs_hang = true);
    world.release(1);
    world
        .until(SOON, "it is gone", |world| world.records.live().is_empty())
        .await;
    assert_eq!(outputs(&world), Vec::<String>::new());
    world.kill().await;
}
