//! What fails is shown, is tried again, and holds up nobody else.

use orchestrator_host::fake::{FakeFilter, Faults};
use orchestrator_host::{PolicyItem, PolicyKey};
use orchestrator_model::Phase;

use crate::record::client;
use crate::world::{ISOLATED, World, after};

#[tokio::test(start_paused = true)]
async fn a_change_that_fails_is_shown_and_made_up_for() {
    let mut world = World::started(1, ISOLATED).await;
    world.machine.set_faults(Faults {
        fails_before: 1000,
        ..Faults::none()
    });
    world.hold(1, 1);
    after(2).await;
    let (ok, reason) = world.condition().unwrap();
    assert!(!ok && reason.contains("the test has it fail"), "{reason}");
    world.machine.set_faults(Faults::none());
    after(7).await;
    world.is_right();
    assert_eq!(world.condition(), Some((true, String::new())));
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_shown_and_the_rules_stay() {
    let mut world = World::started(2, ISOLATED).await;
    world.hold(1, 1);
    after(1).await;
    let before = world.policy();
    world.records.lock().is_away = true;
    world.hold(2, 2);
    after(10).await;
    assert_eq!(world.policy(), before);
    assert!(world.condition().is_some_and(|(ok, _)| !ok));
    world.records.lock().is_away = false;
    after(7).await;
    world.is_right();
    assert_eq!(world.condition(), Some((true, String::new())));
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn one_thing_that_the_host_refuses_keeps_nobody_else_from_being_followed() {
    let mut world = World::started(3, ISOLATED).await;
    let bad = PolicyKey::Client {
        bridge: "br0".to_owned(),
        mac: [0x52, 0x54, 0, 0, 0, 1],
        prefix: "fd39::1:1/128".parse().unwrap(),
    };
    world.machine.with(|state| state.refused_policy.insert(bad.clone()));
    world.hold(1, 1);
    after(1).await;
    let (ok, reason) = world.condition().unwrap();
    assert!(!ok && reason.contains("the binding of fd39::1:1/128"), "{reason}");
    for number in 2..=20 {
        world.hold(number, number);
        after(2).await;
        let mut wanted = world.wanted();
        wanted.remove(&bad);
        assert_eq!(world.policy(), wanted, "client {number}");
    }
    world.machine.with(|state| state.refused_policy.clear());
    after(32).await;
    world.is_right();
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_cannot_check_packets_says_which_links_are_open_and_which_closed() {
    for filter in [FakeFilter::Absent, FakeFilter::Fails] {
        let mut world = World::new(4, ISOLATED);
        world.machine.with(|state| state.filter = filter);
        world.hold(1, 1);
        world.place(&client(1), 1, Phase::Pending);
        world.start();
        after(60).await;
        let (ok, reason) = world.condition().unwrap();
        assert!(!ok && reason.contains("cannot check packets"), "{reason}");
        assert!(reason.contains("no instance becomes ready on br0"), "{reason}");
        assert!(world.conditions.ready(), "the daemon serves");
        world.machine.with(|state| state.filter = FakeFilter::Works);
        after(31).await;
        world.is_right();
        assert_eq!(world.condition(), Some((true, String::new())));
        world.kill().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_breaks_again_and_again_loses_no_change_of_the_rules() {
    let mut world = World::started(5, ISOLATED).await;
    world.hold(1, 1);
    world.machine.set_faults(Faults {
        breaks: 1000,
        ..Faults::none()
    });
    for _ in 0..5 {
        world.machine.flush_policy();
        after(40).await;
        world.is_right();
    }
    let is_link = |item: &PolicyItem| matches!(item, PolicyItem::Link(_));
    assert!(world.policy().values().any(is_link));
    world.kill().await;
}
