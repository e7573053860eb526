//! The rules follow what is recorded, one owner at a time.

use orchestrator_host::fake::Faults;
use orchestrator_host::{Host, NetworkChange, NetworkPart, PolicyItem};
use orchestrator_model::{Owner, Phase};

use crate::record::client;
use crate::world::{ISOLATED, World, after};

#[tokio::test(start_paused = true)]
async fn everything_that_is_recorded_is_in_force_after_the_start() {
    let mut world = World::new(1, ISOLATED);
    for number in 1..=5 {
        world.hold(number, number);
        world.place(&client(number), number, Phase::Ready);
    }
    world.start();
    after(20).await;
    world.is_right();
    assert!(world.policy().len() > 25, "{:#?}", world.policy().keys());
    assert_eq!(world.condition(), Some((true, String::new())));
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_and_an_instance_are_followed_at_once_and_nothing_else_is_read() {
    let mut world = World::started(2, ISOLATED).await;
    let wholes = world.records.lock().reads.0;
    world.hold(1, 1);
    after(1).await;
    world.is_right();
    for phase in [Phase::Pending, Phase::Starting, Phase::Ready] {
        world.place(&client(1), 1, phase);
        after(1).await;
        world.is_right();
    }
    world.clear(&client(1));
    world.release(1);
    after(1).await;
    world.is_right();
    assert_eq!(world.records.lock().reads.0, wholes, "everything was read again");
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn the_front_door_leads_to_an_instance_from_when_it_is_ready() {
    let mut world = World::started(3, ISOLATED).await;
    let doors = |world: &World| {
        world
            .policy()
            .values()
            .filter(|item| matches!(item, PolicyItem::Door(_)))
            .count()
    };
    world.hold(1, 1);
    world.place(&client(1), 1, Phase::Starting);
    after(1).await;
    assert_eq!(doors(&world), 0);
    world.place(&client(1), 1, Phase::Ready);
    after(1).await;
    assert_eq!(doors(&world), 1);
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_renews_from_another_port_is_bound_there_without_an_event() {
    let mut world = World::started(4, ISOLATED).await;
    world.hold(1, 1);
    after(1).await;
    let applied = world.machine.calls("apply");
    world.hold(1, 9);
    after(1).await;
    world.is_right();
    let bound = world.policy().into_values().find_map(|item| match item {
        PolicyItem::Client(binding) => binding.port,
        _ => None,
    });
    assert_eq!(bound.as_deref(), Some("tap9"));
    assert_eq!(world.machine.calls("apply") - applied, 1, "one transaction");
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn what_changes_at_once_is_one_transaction() {
    let mut world = World::started(5, ISOLATED).await;
    let applied = world.machine.calls("apply");
    for number in 1..=10 {
        world.hold(number, number);
    }
    after(5).await;
    world.is_right();
    assert_eq!(world.machine.calls("apply") - applied, 1);
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_of_a_pool_is_followed_without_reading_all() {
    let mut world = World::started(6, ISOLATED).await;
    let pool = Owner::Pool("warm".to_owned());
    let wholes = world.records.lock().reads.0;
    world.place(&pool, 7, Phase::Ready);
    after(1).await;
    world.is_right();
    assert_eq!(world.records.lock().reads.0, wholes);
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn events_that_were_missed_are_made_up_for_by_reading_everything() {
    let mut world = World::started(7, ISOLATED).await;
    // More than the reader may be behind: the first are lost.
    for number in 1..=60 {
        world.hold(number, number);
    }
    after(20).await;
    world.is_right();
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_change_that_nobody_tells_of_is_found_within_half_a_minute() {
    let mut world = World::started(8, ISOLATED).await;
    world.hold(1, 1);
    after(1).await;
    world.records.change(&client(1), |facts| facts.leases.clear());
    after(31).await;
    world.is_right();
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_was_changed_by_another_daemon_is_sent_the_whole() {
    let mut world = World::started(9, ISOLATED).await;
    let other = world.machine.host("local");
    let nothing = NetworkChange::Whole(Vec::new());
    other.apply(&NetworkPart::Policy, 0, 77, &nothing).await.unwrap();
    world.hold(1, 1);
    after(2).await;
    world.is_right();
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn rules_that_somebody_removes_are_there_again_at_once() {
    let mut world = World::started(10, ISOLATED).await;
    world.hold(1, 1);
    after(1).await;
    world.machine.flush_policy();
    after(1).await;
    world.is_right();
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn rules_that_are_removed_while_the_report_is_lost_are_there_again_within_half_a_minute() {
    let mut world = World::started(11, ISOLATED).await;
    world.hold(1, 1);
    after(1).await;
    world.machine.set_faults(Faults {
        loses: 1000,
        ..Faults::none()
    });
    world.machine.flush_policy();
    after(32).await;
    world.is_right();
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_ended_leaves_its_rules_and_the_next_one_mends_them() {
    let mut world = World::started(12, ISOLATED).await;
    world.hold(1, 1);
    after(1).await;
    let before = world.policy();
    world.kill().await;
    world.hold(2, 2);
    world.release(1);
    after(60).await;
    assert_eq!(world.policy(), before);
    world.start();
    after(2).await;
    world.is_right();
    world.kill().await;
}
