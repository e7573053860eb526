//! Isolation goes on and off.

use orchestrator_host::fake::{FakeFilter, Faults};
use orchestrator_model::Phase;

use crate::record::client;
use crate::world::{ISOLATED, World, after};

const OFF: &str = "isolation = false";

#[tokio::test(start_paused = true)]
async fn isolation_that_is_switched_off_removes_all_rules_and_the_condition() {
    let mut world = World::started(1, ISOLATED).await;
    world.hold(1, 1);
    after(1).await;
    assert!(!world.policy().is_empty());
    world.reload(OFF);
    after(2).await;
    assert!(world.policy().is_empty());
    assert_eq!(world.condition(), None);
    world.reload(ISOLATED);
    after(2).await;
    world.is_right();
    assert!(!world.policy().is_empty());
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn rules_of_before_are_removed_by_a_daemon_whose_links_have_no_isolation() {
    let mut world = World::started(2, ISOLATED).await;
    world.hold(1, 1);
    after(1).await;
    world.kill().await;
    world.reload(OFF);
    world.start();
    after(1).await;
    assert!(world.policy().is_empty());
    assert_eq!(world.condition(), None);
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn rules_of_before_that_cannot_be_removed_are_shown_and_tried_again() {
    let mut world = World::started(3, ISOLATED).await;
    world.kill().await;
    world.machine.set_faults(Faults {
        fails_before: 1000,
        ..Faults::none()
    });
    world.reload(OFF);
    world.start();
    after(2).await;
    let (ok, reason) = world.condition().unwrap();
    assert!(!ok && reason.contains("the test has it fail"), "{reason}");
    world.machine.set_faults(Faults::none());
    after(6).await;
    assert!(world.policy().is_empty());
    assert_eq!(world.condition(), None);
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn without_isolation_the_host_is_asked_once_and_the_store_never() {
    let mut world = World::started(4, OFF).await;
    for number in 1..=10 {
        world.hold(number, number);
        world.place(&client(number), number, Phase::Ready);
    }
    after(120).await;
    assert!(world.policy().is_empty());
    assert_eq!(world.machine.calls("apply"), 1);
    assert_eq!(world.records.lock().reads, (0, 0));
    assert_eq!(world.condition(), None);
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_cannot_check_packets_is_fine_where_no_link_has_isolation() {
    for filter in [FakeFilter::Absent, FakeFilter::Fails] {
        let mut world = World::new(5, OFF);
        world.machine.with(|state| state.filter = filter);
        world.start();
        after(60).await;
        assert_eq!(world.condition(), None, "{filter:?}");
        world.kill().await;
    }
}

#[tokio::test(start_paused = true)]
async fn other_settings_of_a_link_are_in_force_at_once() {
    let mut world = World::started(6, ISOLATED).await;
    world.hold(1, 1);
    after(1).await;
    for line in [
        "isolation = true",
        "isolation = true\nenforce = false\nisolate_clients = true",
    ] {
        world.reload(line);
        after(2).await;
        world.is_right();
    }
    world.kill().await;
}
