//! Images: instances have what their version is pinned to, and what nothing uses goes by its rule.

use std::time::Duration;

use orchestrator_model::{EventKind, HostId, ImageKey, ImageState};
use orchestrator_reconcile::images::{Order, Outcome, Rule};

use crate::daemon::World;

const SETTINGS: &str = r#"
    [images]
    unused = "1h"
    keep = 0
    [[link]]
    bridge = "br0"
    address = "fd00::1/64"
    pool = "fd00::1:0/112"
    instances = "fd00::2:0/112"
    template = "default"
    [template.default]
    image = "web"
    grace = "1s"
    ready = { tcp = 80, within = "10s" }
    [template.replica]
    image = "web"
    [template.dns]
    image = "dns"
"#;

const SOON: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn key(id: &str) -> ImageKey {
    ImageKey {
        host: HostId::local(),
        engine: "docker".to_owned(),
        id: id.to_owned(),
    }
}

/// The name means this image from now on; the image has no name where it is empty.
fn name(world: &World, name: &str, id: &str) {
    let place = ("docker".to_owned(), name.to_owned());
    world.machine.with(|state| state.images.insert(place, id.to_owned()));
}

/// The images that containers were made from.
fn running(world: &World) -> Vec<String> {
    let images = world.machine.with(|state| {
        state
            .containers
            .values()
            .map(|one| one.spec.image.clone())
            .collect::<Vec<_>>()
    });
    let mut images = images;
    images.sort();
    images
}

fn has(world: &World, id: &str) -> bool {
    world
        .machine
        .with(|state| state.images.values().any(|other| other == id))
}

#[tokio::test(start_paused = true)]
async fn instances_of_a_version_have_its_image_when_its_name_has_moved() {
    let mut world = World::new(1, SETTINGS);
    name(&world, "web", "sha256:one");
    world.start();
    world.hold(1, HOUR);
    world
        .until(SOON, "the first is ready", |world| world.ready().len() == 1)
        .await;
    name(&world, "web", "sha256:two");
    world.hold(2, HOUR);
    world
        .until(SOON, "the second is ready", |world| world.ready().len() == 2)
        .await;
    assert_eq!(running(&world), ["sha256:one", "sha256:one"]);
    // The next daemon knows it, too.
    world.kill().await;
    world.start();
    world.hold(3, HOUR);
    world
        .until(SOON, "the third is ready", |world| world.ready().len() == 3)
        .await;
    assert_eq!(running(&world), ["sha256:one"; 3]);
    assert_eq!(world.machine.violations(), [""; 0]);
}

/// What is in use is pinned when it is declared, and not only when a client comes.
#[tokio::test(start_paused = true)]
async fn a_template_is_pinned_before_its_first_client() {
    let mut world = World::new(2, SETTINGS);
    name(&world, "web", "sha256:one");
    world.start();
    let pinned = |world: &World| {
        let state = world.records.state();
        state.pins.iter().map(|pin| pin.digest.clone()).collect::<Vec<_>>()
    };
    world
        .until(SOON, "it is pinned", |world| pinned(world) == ["sha256:one"])
        .await;
    name(&world, "web", "sha256:two");
    world.hold(1, HOUR);
    world.until(SOON, "it is ready", |world| world.ready().len() == 1).await;
    assert_eq!(running(&world), ["sha256:one"]);
}

#[tokio::test(start_paused = true)]
async fn many_instances_that_begin_at_once_resolve_a_name_once() {
    let mut world = World::new(3, SETTINGS);
    name(&world, "web", "sha256:one");
    world.start();
    for number in 1..=50 {
        world.hold(number, HOUR);
    }
    world
        .until(MINUTE, "all are ready", |world| world.ready().len() == 50)
        .await;
    assert_eq!(world.machine.calls("find_image"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_instance_whose_pinned_image_is_gone_says_so_and_starts_once_it_is_there_again() {
    let mut world = World::new(4, SETTINGS);
    name(&world, "web", "sha256:one");
    world.start();
    world
        .until(SOON, "it is pinned", |world| !world.records.state().pins.is_empty())
        .await;
    // Its name means another image, and somebody removed the one that is pinned.
    name(&world, "web", "sha256:two");
    name(&world, "sha256:one", "");
    world.hold(1, HOUR);
    let failed = |world: &World| {
        let live = world.records.live();
        live.iter().any(|instance| instance.reason.is_some())
    };
    world.until(SOON, "it fails", failed).await;
    let reason = world.records.live()[0].reason.clone().unwrap();
    for word in ["sha256:one", "\"web\"", "orchestrator template update default"] {
        assert!(reason.contains(word), "{reason}");
    }
    assert!(running(&world).is_empty(), "it does not run another image");
    name(&world, "sha256:one", "sha256:one");
    world
        .until(10 * MINUTE, "it is ready", |world| world.ready().len() == 1)
        .await;
    assert_eq!(running(&world), ["sha256:one"]);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_nothing_uses_goes_when_its_time_is_over() {
    let mut world = World::new(5, SETTINGS);
    name(&world, "web", "sha256:one");
    name(&world, "old:1", "sha256:old");
    name(&world, "theirs:1", "sha256:theirs");
    for (id, name) in [("sha256:one", "web"), ("sha256:old", "old:1")] {
        world.records.bring(key(id), name);
    }
    world.start();
    world.hold(1, 100 * HOUR);
    world.until(SOON, "it is ready", |world| world.ready().len() == 1).await;
    tokio::time::sleep(HOUR - 2 * MINUTE).await;
    assert!(has(&world, "sha256:old"), "its time is not over");
    world
        .until(5 * MINUTE, "it is gone", |world| !has(world, "sha256:old"))
        .await;
    tokio::time::sleep(10 * HOUR).await;
    assert!(has(&world, "sha256:one") && has(&world, "sha256:theirs"));
    assert_eq!(world.records.happened(EventKind::ImageRemoved), 1);
    assert_eq!(world.records.state().images.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_a_container_uses_stays_whatever_is_recorded() {
    let mut world = World::new(6, SETTINGS);
    world.start();
    world.hold(1, HOUR);
    world.until(SOON, "it is ready", |world| world.ready().len() == 1).await;
    // A container of somebody else's: the record knows nothing of it.
    name(&world, "stranger:1", "sha256:stranger");
    world.machine.with(|state| {
        let one = state.containers.values_mut().next().unwrap();
        one.spec.image = "stranger:1".to_owned();
    });
    world.records.bring(key("sha256:stranger"), "stranger:1");
    let order = Order {
        rule: Rule {
            unused: Some(Duration::ZERO),
            keep: 0,
        },
        remove: true,
        by: Some("ada".to_owned()),
    };
    let sweep = world.sweeper().unwrap().sweep(&order).await.unwrap();
    let outcome = &sweep.images[0].outcome;
    assert!(
        matches!(outcome, Outcome::Failed(reason) if reason.contains("a container uses it")),
        "{outcome:?}"
    );
    assert!(has(&world, "sha256:stranger"));
    let state = world.records.state().images[&key("sha256:stranger")].state;
    assert_eq!(state, ImageState::Kept, "it can be used again");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_removed_by_a_dry_run() {
    let mut world = World::new(7, SETTINGS);
    name(&world, "old:1", "sha256:old");
    world.records.bring(key("sha256:old"), "old:1");
    world.start();
    let order = |remove| Order {
        rule: Rule {
            unused: Some(Duration::ZERO),
            keep: 0,
        },
        remove,
        by: None,
    };
    let sweeper = world.sweeper().unwrap();
    let dry = sweeper.sweep(&order(false)).await.unwrap();
    assert_eq!(dry.images[0].outcome, Outcome::WouldGo);
    assert!(has(&world, "sha256:old"));
    let real = sweeper.sweep(&order(true)).await.unwrap();
    assert_eq!(real.images[0].outcome, Outcome::Removed);
    assert!(!has(&world, "sha256:old"));
    assert_eq!(sweeper.sweep(&order(true)).await.unwrap().images, []);
}

/// The daemon is ended at any wait of a sweep; the next one ends what it began.
#[tokio::test(start_paused = true)]
async fn a_removal_that_was_cut_short_is_carried_to_its_end() {
    for point in 0..12 {
        let mut world = World::new(8 + point, SETTINGS);
        name(&world, "old:1", "sha256:old");
        world.records.bring(key("sha256:old"), "old:1");
        world.start();
        let sweeper = world.sweeper().unwrap();
        let order = Order {
            rule: Rule {
                unused: Some(Duration::ZERO),
                keep: 0,
            },
            remove: true,
            by: None,
        };
        let begun = order.clone();
        let sweeping = tokio::spawn(async move { sweeper.sweep(&begun).await });
        for _ in 0..point {
            tokio::task::yield_now().await;
        }
        sweeping.abort();
        let _ = sweeping.await;
        world.kill().await;
        world.start();
        let sweep = world.sweeper().unwrap().sweep(&order).await.unwrap();
        assert!(
            sweep.images.iter().all(|swept| swept.outcome == Outcome::Removed),
            "{sweep:?}"
        );
        assert!(!has(&world, "sha256:old") && world.records.state().images.is_empty());
        assert_eq!(world.records.happened(EventKind::ImageRemoved), 1);
        world.kill().await;
    }
}
