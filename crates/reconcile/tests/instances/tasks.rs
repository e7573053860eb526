//! What the tasks of the instance reconciler show, and when they end.

use std::time::Duration;

use orchestrator_model::{Instance, Phase};
use orchestrator_runtime::tasks::{TaskState, TaskStatus};
use tokio::time::sleep;

use crate::daemon::World;
use crate::records::StoreFaults;

const SETTINGS: &str = r#"
    [engine.docker]
    [engine.other]
    kind = "docker"
    [[link]]
    bridge = "br0"
    address = "fd00::1/64"
    pool = "fd00::1:0/112"
    instances = "fd00::2:0/112"
    template = "default"
    [template.default]
    engine = "docker"
    image = "web"
    grace = "0s"
    ready = { tcp = 80, within = "5s", restarts = 0 }
    [template.replica]
    engine = "other"
    image = "replica"
    ready = { tcp = 80, within = "5s" }
"#;

/// A link whose clients get no instances.
const NOTHING: &str = r#"
    [[link]]
    bridge = "br0"
    address = "fd00::1/64"
    pool = "fd00::1:0/112"
"#;

const SECOND: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3600);

fn state(world: &World, name: &str) -> Option<TaskState> {
    world.task(name).map(|task| task.state)
}

fn reason(task: &TaskStatus) -> &str {
    task.last_result.as_ref().unwrap().as_ref().unwrap_err()
}

/// The rows of instances.
fn of_instances(world: &World) -> Vec<String> {
    let tasks = world.tasks().into_iter();
    tasks.filter(|name| name.starts_with("instance ")).collect()
}

#[tokio::test(start_paused = true)]
async fn everything_that_runs_has_a_row_and_a_healthy_instance_has_none() {
    let mut world = World::new(1, SETTINGS);
    world.start();
    world.hold(1, HOUR);
    world
        .until(SOON, "it is ready", |world| !world.ready().is_empty())
        .await;
    sleep(60 * SECOND).await;
    assert_eq!(
        world.tasks(),
        [
            "checks",
            "disk",
            "engine docker",
            "engine other",
            "full pass",
            "idle limits",
            "images",
            "instances",
            "network watch",
            "places",
            "volume-usage",
            "volumes",
        ]
    );
    let pass = world.task("full pass").unwrap();
    assert_eq!(pass.detail.as_deref(), Some("1 instances"));
    assert!(pass.next_try.is_some() && pass.state == TaskState::Waiting);
    assert_eq!(state(&world, "engine docker"), Some(TaskState::Running));
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_lost_is_tried_again_until_it_is_back() {
    let mut world = World::new(2, SETTINGS);
    world.start();
    let watched = |world: &World| state(world, "engine docker") == Some(TaskState::Running);
    world.until(SOON, "it is watched", watched).await;
    world.machine.stop_engine("docker");
    sleep(3 * SECOND).await;
    let lost = world.task("engine docker").unwrap();
    assert!(lost.state == TaskState::Failing && lost.failures > 3, "{lost:?}");
    assert!(lost.next_try.is_some() && reason(&lost).contains("docker"), "{lost:?}");
    let condition = world.condition("engine docker").unwrap();
    assert_eq!(
        (condition.ok, condition.reason.as_deref()),
        (false, Some(reason(&lost)))
    );
    assert_eq!(
        state(&world, "engine other"),
        Some(TaskState::Running),
        "it is watched for itself"
    );
    // What waits for the engine is served at once when it is back.
    world.hold(1, HOUR);
    sleep(SECOND).await;
    world.machine.start_engine("docker", false);
    world
        .until(5 * SECOND, "it is ready", |world| !world.ready().is_empty())
        .await;
    assert!(watched(&world) && world.condition("engine docker").unwrap().ok);
    assert_eq!(world.task("engine docker").unwrap().failures, 0);
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_hangs_is_failing_although_its_watch_goes_on() {
    let mut world = World::new(3, SETTINGS);
    world.start();
    let watched = |world: &World| state(world, "engine docker") == Some(TaskState::Running);
    world.until(SOON, "it is watched", watched).await;
    let watches = world.machine.calls("watch");
    world.machine.hang_engine("docker");
    sleep(SECOND).await;
    let hangs = world.task("engine docker").unwrap();
    assert_eq!((hangs.state, reason(&hangs)), (TaskState::Failing, "it hangs"));
    assert!(hangs.next_try.is_some(), "{hangs:?}");
    assert!(!world.condition("engine docker").unwrap().ok);
    world.machine.start_engine("docker", false);
    sleep(SECOND).await;
    let well = world.task("engine docker").unwrap();
    assert_eq!((well.state, well.next_try), (TaskState::Running, None));
    assert!(world.condition("engine docker").unwrap().ok);
    assert_eq!(world.machine.calls("watch"), watches, "nothing of it was missed");
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_leaves_no_use_for_the_engines_ends_their_tasks_and_conditions() {
    let mut world = World::new(4, SETTINGS);
    world.start();
    world.hold(1, HOUR);
    world
        .until(SOON, "it is ready", |world| !world.ready().is_empty())
        .await;
    world.reload(NOTHING);
    let of_engines = |world: &World| world.tasks().iter().any(|name| name.starts_with("engine "));
    // They are needed for as long as there is something to remove.
    world
        .until(60 * SECOND, "the instance is gone", |world| {
            world.records.live().is_empty()
        })
        .await;
    world
        .until(60 * SECOND, "the engines are left", |world| !of_engines(world))
        .await;
    assert_eq!(world.condition("engine docker"), None);
    let calls = world.machine.calls("watch");
    sleep(120 * SECOND).await;
    assert_eq!(world.machine.calls("watch"), calls, "they are asked nothing");
    world.reload(SETTINGS);
    world
        .until(SOON, "the engines are watched again", |world| {
            state(world, "engine docker") == Some(TaskState::Running)
        })
        .await;
    assert!(world.condition("engine docker").unwrap().ok);
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_fails_is_shown_and_made_again() {
    let mut world = World::new(5, SETTINGS);
    world.start();
    world
        .until(SOON, "the first pass", |world| {
            state(world, "full pass") == Some(TaskState::Waiting)
        })
        .await;
    world.records.state().faults = StoreFaults {
        away_before: 1000,
        ..StoreFaults::default()
    };
    world.hold(1, HOUR);
    sleep(60 * SECOND).await;
    for name in ["full pass", "instances"] {
        let failing = world.task(name).unwrap();
        assert_eq!(failing.state, TaskState::Failing, "{name}");
        assert!(failing.failures > 1 && failing.next_try.is_some(), "{failing:?}");
        assert!(!reason(&failing).is_empty());
    }
    world.records.state().faults = StoreFaults::default();
    world
        .until(40 * SECOND, "it is ready", |world| !world.ready().is_empty())
        .await;
    world
        .until(40 * SECOND, "the pass is well", |world| {
            state(world, "full pass") == Some(TaskState::Waiting)
        })
        .await;
    assert_eq!(state(&world, "instances"), Some(TaskState::Waiting));
    world.kill().await;
}

fn only(world: &World) -> Instance {
    world.records.live().remove(0)
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_fails_has_a_row_until_it_is_ready() {
    let mut world = World::new(6, SETTINGS);
    world.machine.with(|state| state.silent.insert("web".to_owned()));
    world.start();
    world.hold(1, HOUR);
    sleep(40 * SECOND).await;
    world
        .until(SOON, "it waits for another try", |world| only(world).is_tried_again())
        .await;
    let (instance, failing) = (only(&world), of_instances(&world));
    assert_eq!(failing, [format!("instance {}", instance.id)]);
    let row = world.task(&failing[0]).unwrap();
    assert_eq!(
        (row.state, row.failures, Some(reason(&row))),
        (TaskState::Failing, instance.attempts, instance.reason.as_deref())
    );
    assert!(instance.attempts > 1);
    let ahead = row.next_try.unwrap().since(orchestrator_model::Timestamp::wall());
    let due = instance.due.unwrap().since(crate::clock::now());
    assert!(ahead.abs_diff(due) < SECOND, "{ahead:?} {due:?}");
    // The next daemon tries it at once, and counts on: what has failed is in the record.
    world.kill().await;
    world.start();
    world
        .until(20 * SECOND, "it has failed again", |world| {
            only(world).attempts > instance.attempts && only(world).is_tried_again()
        })
        .await;
    sleep(SECOND / 10).await;
    assert_eq!(of_instances(&world), failing);
    assert_eq!(world.task(&failing[0]).unwrap().failures, only(&world).attempts);
    world
        .until(35 * SECOND, "the next pass", |world| {
            world.task("full pass").unwrap().detail.as_deref() != Some("1 instances")
        })
        .await;
    let pass = world.task("full pass").unwrap().detail.unwrap();
    assert!(pass.starts_with("1 instances, 1 "), "{pass}");
    world.machine.with(|state| state.silent.clear());
    world
        .until(70 * SECOND, "it is ready", |world| !world.ready().is_empty())
        .await;
    world
        .until(SECOND, "no row is left", |world| of_instances(world).is_empty())
        .await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_cannot_be_removed_has_a_row_until_it_is_gone() {
    let mut world = World::new(7, SETTINGS);
    world.start();
    world.hold(1, HOUR);
    world
        .until(SOON, "it is ready", |world| !world.ready().is_empty())
        .await;
    world.machine.stop_engine("docker");
    world.release(1);
    sleep(SOON).await;
    let row = format!("instance {}", only(&world).id);
    assert_eq!(
        (only(&world).phase, state(&world, &row)),
        (Phase::Removing, Some(TaskState::Failing))
    );
    world.machine.start_engine("docker", false);
    world
        .until(70 * SECOND, "it is gone", |world| world.records.live().is_empty())
        .await;
    world
        .until(SECOND, "no row is left", |world| of_instances(world).is_empty())
        .await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_fails_has_a_bounded_number_of_rows() {
    let mut world = World::new(8, SETTINGS);
    world.machine.with(|state| state.silent.insert("replica".to_owned()));
    world.start();
    world.scale(100);
    sleep(30 * SECOND).await;
    assert_eq!(of_instances(&world).len(), 64);
    // Those that were not shown take the rows of those that are well or gone.
    world.scale(70);
    sleep(200 * SECOND).await;
    assert_eq!(of_instances(&world).len(), 64);
    world.scale(10);
    sleep(200 * SECOND).await;
    assert_eq!(of_instances(&world).len(), 10);
    world.scale(0);
    sleep(200 * SECOND).await;
    world
        .until(SECOND, "no row is left", |world| of_instances(world).is_empty())
        .await;
    world.kill().await;
}
