//! Who delays whom: nobody.

use std::time::Duration;

use orchestrator_model::{Phase, Slot, SlotKey};
use tokio::time::Instant;

use crate::daemon::{World, service};

const HOUR: Duration = Duration::from_secs(3600);

/// Two engines, `bad` and `good`. Replicas run on the bad one, clients on the good one.
const SETTINGS: &str = r#"
    [engine.bad]
    kind = "docker"
    [engine.good]
    kind = "docker"
    [[link]]
    bridge = "br0"
    address = "fd00::1/64"
    pool = "fd00::1:0/112"
    instances = "fd00::2:0/112"
    template = "default"
    [template.default]
    engine = "good"
    image = "web"
    grace = "0s"
    ready = { tcp = 80, within = "10m" }
    [template.replica]
    engine = "ENGINE"
    image = "IMAGE"
    ready = { tcp = 80, within = "10m" }
"#;

fn settings(engine: &str, image: &str) -> String {
    SETTINGS.replace("ENGINE", engine).replace("IMAGE", image)
}

/// More instances than there ever were turns never answer, on the same engine as all others.
async fn crowd_of_silent_ones(world: &mut World) {
    world.machine.with(|state| state.silent.insert("silent".to_owned()));
    world.start();
    world.scale(300);
    let all_run = |world: &World| world.machine.with(|state| state.attachments.len()) >= 300;
    world
        .until(Duration::from_secs(120), "all of them run and are awaited", all_run)
        .await;
}

#[tokio::test(start_paused = true)]
async fn images_that_never_answer_delay_no_other_instance() {
    let mut world = World::new(1, &settings("good", "silent"));
    crowd_of_silent_ones(&mut world).await;
    world.hold(1, HOUR);
    let soon = Duration::from_secs(5);
    world
        .until(soon, "the client's instance is ready", |world| world.ready().len() == 1)
        .await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn images_that_never_answer_delay_no_removal() {
    let mut world = World::new(2, &settings("good", "silent"));
    world.start();
    world.hold(1, HOUR);
    world
        .until(Duration::from_secs(5), "one is ready", |world| world.ready().len() == 1)
        .await;
    world.kill().await;
    crowd_of_silent_ones(&mut world).await;
    world.release(1);
    let gone = |world: &World| world.records.live().iter().all(|instance| instance.client().is_none());
    world
        .until(Duration::from_secs(5), "the client's instance is gone", gone)
        .await;
    // Those that are awaited are removed as fast.
    world.scale(0);
    world
        .until(Duration::from_secs(30), "all are gone", |world| {
            world.records.live().is_empty()
        })
        .await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn removals_do_not_queue_behind_starts() {
    let mut world = World::new(3, &settings("bad", "web"));
    world.start();
    world.hold(1, HOUR);
    world.scale(3);
    world
        .until(Duration::from_secs(10), "all are ready", |world| {
            world.ready().len() == 4
        })
        .await;
    // More starts than there ever were turns, each of which takes half a minute.
    world.machine.hang_engine("bad");
    world.scale(400);
    tokio::time::sleep(Duration::from_secs(10)).await;
    world.release(1);
    let gone = |world: &World| world.records.live().iter().all(|instance| instance.client().is_none());
    world
        .until(Duration::from_secs(5), "the client's instance is gone", gone)
        .await;
    // Of the engine that hangs, too: its removals wait for the engine alone.
    world.scale(2);
    let asked = |world: &World| world.machine.with(|state| state.calls.get("remove").copied()) > Some(1);
    world
        .until(Duration::from_secs(2), "a replica's removal has begun", asked)
        .await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn one_engine_that_hangs_delays_no_instance_of_another_in_the_full_pass() {
    let mut world = World::new(4, &settings("bad", "web"));
    world.start();
    world.hold(1, HOUR);
    world.scale(3);
    world
        .until(Duration::from_secs(10), "all are ready", |world| {
            world.ready().len() == 4
        })
        .await;
    world.kill().await;
    // The next daemon finds an engine that hangs, a client that came meanwhile, and an instance that was removed by hand.
    world.machine.hang_engine("bad");
    let client = world.records.hold(2, HOUR);
    let of_client = world
        .records
        .live()
        .into_iter()
        .find(|instance| instance.client().is_some())
        .unwrap();
    world.machine.remove_by_hand(of_client.id);
    let began = Instant::now();
    world.start();
    let slot = SlotKey::new(client, Slot::new("default"));
    // Three seconds are what a new daemon waits for engines that may have orphans.
    world
        .until(Duration::from_secs(8), "who came is served", |world| {
            world.ready().contains(&slot)
        })
        .await;
    let made_again = |world: &World| world.machine.with(|state| state.first(of_client.id).is_some());
    world
        .until(Duration::from_secs(8), "what was removed is made again", made_again)
        .await;
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    let replicas = world
        .records
        .live()
        .into_iter()
        .filter(|instance| instance.owner == service());
    assert!(
        replicas.filter(|instance| instance.phase == Phase::Ready).count() == 3,
        "nothing is said of those"
    );
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn leftovers_that_cannot_be_removed_delay_nobody() {
    let mut world = World::new(5, &settings("bad", "web"));
    world.start();
    world.scale(20);
    world
        .until(Duration::from_secs(10), "all are ready", |world| {
            world.ready().len() == 20
        })
        .await;
    world.kill().await;
    // What was removed from the record alone, as by a daemon that ended in the middle, is left over.
    for instance in world.records.state().instances.values_mut() {
        instance.phase = Phase::Removed;
    }
    world.replicas.count.store(0, std::sync::atomic::Ordering::Relaxed);
    world.start();
    // The engine hangs as soon as it has said what it has.
    let listed = |world: &World| world.machine.calls("list") >= 2;
    world.until(Duration::from_secs(30), "it was listed", listed).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    world.machine.hang_engine("bad");
    world.records.hold(1, HOUR);
    // Nobody notifies of the client: the pass finds it.
    world
        .until(Duration::from_secs(35), "the client is served", |world| {
            world.ready().len() == 1
        })
        .await;
    world.machine.start_engine("bad", false);
    let empty = |world: &World| world.machine.with(|state| state.containers.len()) == 1;
    world
        .until(Duration::from_secs(120), "nothing is left over", empty)
        .await;
    world.kill().await;
}
