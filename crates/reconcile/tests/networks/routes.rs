//! Routes follow the leases, and come back when somebody removes them.

use std::collections::BTreeSet;

use orchestrator_host::fake::Faults;
use orchestrator_host::{Host, NetworkChange, NetworkPart, RoutePlan};
use orchestrator_store::AttachedPrefix;

use crate::daemon::{SETTINGS, World, after, pool, prefix, route, router};

fn all<const N: usize>(routes: [RoutePlan; N]) -> BTreeSet<RoutePlan> {
    routes.into()
}

#[tokio::test(start_paused = true)]
async fn a_route_follows_its_lease() {
    let mut world = World::new(1, SETTINGS);
    world.start();
    after(1).await;
    assert_eq!(world.routes(), all([pool()]));
    world.delegate(1);
    world.delegate(2);
    after(1).await;
    assert_eq!(world.routes(), all([pool(), route(1), route(2)]));
    let applied = world.machine.calls("apply");
    world.delegate(1);
    after(1).await;
    assert_eq!(world.machine.calls("apply"), applied, "a renewal changes nothing");
    world.release(1);
    after(1).await;
    assert_eq!(world.routes(), all([pool(), route(2)]));
    assert_eq!(world.condition("routes"), Some((true, String::new())));
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_route_that_somebody_removes_is_made_again_at_once_and_recorded() {
    let mut world = World::new(2, SETTINGS);
    world.delegate(1);
    world.start();
    after(1).await;
    for removed in [route(1), pool()] {
        world.machine.remove_route(&removed.key());
        after(1).await;
        assert_eq!(world.routes(), all([pool(), route(1)]));
        let event = format!(
            "somebody removed the routes to {}; they were made again",
            removed.prefix
        );
        assert!(world.events().contains(&event), "{}", world.events());
    }
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_route_that_is_lost_without_a_report_is_found_within_half_a_minute() {
    let mut world = World::new(3, SETTINGS);
    world.delegate(1);
    world.start();
    after(1).await;
    world.machine.with(|state| state.routes.clear());
    after(31).await;
    assert_eq!(world.routes(), all([pool(), route(1)]));
    assert!(world.events().contains("made again"), "{}", world.events());
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_program_that_removes_routes_again_and_again_is_named_and_slows_repairs_down() {
    let mut world = World::new(4, SETTINGS);
    world.start();
    after(1).await;
    let before = world.machine.calls("apply");
    for _ in 0..600 {
        world.machine.remove_route(&pool().key());
        after(1).await;
    }
    let repairs = world.machine.calls("apply") - before;
    assert!((10..60).contains(&repairs), "{repairs}");
    assert!(world.events().contains("something else removes routes of protocol 111"));
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn routes_of_others_are_left_alone_and_leftovers_of_ours_are_removed() {
    let mut world = World::new(5, SETTINGS);
    let theirs = RoutePlan {
        prefix: prefix(1),
        via: Some((router(9), "br0".to_owned())),
    };
    world.machine.add_route_of_another(theirs.clone());
    // What an earlier daemon made for a lease that has ended since.
    let earlier = world.machine.host("local");
    let change = NetworkChange::Whole(vec![orchestrator_host::NetworkItem::Route(route(7))]);
    earlier.apply(&NetworkPart::Routes, 0, 1, &change).await.unwrap();
    world.delegate(1);
    world.start();
    after(1).await;
    assert_eq!(world.routes(), all([pool(), route(1)]));
    world.release(1);
    after(31).await;
    assert_eq!(world.routes(), all([pool()]));
    let there = world
        .machine
        .with(|state| state.routes.iter().any(|found| !found.ours && found.plan == theirs));
    assert!(there, "another's route to the same prefix was removed");
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_prefix_of_an_instance_is_routed_for_as_long_as_the_instance_lives() {
    let mut world = World::new(6, SETTINGS);
    let attached = AttachedPrefix {
        prefix: "fd60::/64".parse().unwrap(),
        address: "fd39::2:1".parse().unwrap(),
        bridge: "br0".to_owned(),
    };
    let to_instance = RoutePlan {
        prefix: attached.prefix,
        via: Some((attached.address, "br0".to_owned())),
    };
    world.records.lock().attached.push(attached);
    world.start();
    after(1).await;
    assert_eq!(world.routes(), all([pool(), to_instance.clone()]));
    world.machine.remove_route(&to_instance.key());
    after(1).await;
    assert_eq!(world.routes(), all([pool(), to_instance]));
    world.records.lock().attached.clear();
    after(31).await;
    assert_eq!(world.routes(), all([pool()]));
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn routes_wait_for_their_bridge_and_nothing_is_said_to_be_wrong() {
    let mut world = World::new(7, SETTINGS);
    world.delegate(1);
    world.start();
    after(1).await;
    world.machine.remove_bridge("br0");
    after(31).await;
    assert_eq!(world.routes(), all([pool()]));
    assert_eq!(world.condition("routes"), Some((true, String::new())));
    world.machine.add_bridge("br0", 1023);
    // The link that is served again says so.
    world.notifications.notify_prefixes();
    after(1).await;
    assert_eq!(world.routes(), all([pool(), route(1)]));
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_change_that_fails_is_shown_and_tried_again_and_holds_up_no_other() {
    let mut world = World::new(8, SETTINGS);
    world.start();
    after(1).await;
    world.machine.set_faults(Faults {
        fails_before: 1000,
        ..Faults::none()
    });
    world.delegate(1);
    after(2).await;
    let (ok, reason) = world.condition("routes").unwrap();
    assert!(!ok && reason.contains("the test has it fail"), "{reason}");
    world.machine.set_faults(Faults {
        fails_before: 400,
        ..Faults::none()
    });
    (2..=9).for_each(|number| world.delegate(number));
    after(60).await;
    assert_eq!(world.routes().len(), 10);
    world.machine.set_faults(Faults::none());
    after(31).await;
    assert_eq!(world.condition("routes"), Some((true, String::new())));
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_was_changed_by_another_daemon_is_sent_the_whole() {
    let mut world = World::new(9, SETTINGS);
    world.start();
    after(1).await;
    let other = world.machine.host("local");
    let nothing = NetworkChange::Whole(Vec::new());
    other.apply(&NetworkPart::Routes, 0, 77, &nothing).await.unwrap();
    world.delegate(1);
    after(2).await;
    assert_eq!(world.routes(), all([pool(), route(1)]));
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn forwarding_that_is_off_is_shown_while_prefixes_are_delegated() {
    let mut world = World::new(10, SETTINGS);
    world.machine.with(|state| state.forwards = false);
    world.start();
    after(1).await;
    assert!(
        world
            .condition("forwarding")
            .is_some_and(|(ok, reason)| !ok && reason.contains("forwarding=1"))
    );
    world.machine.with(|state| state.forwards = true);
    after(3).await;
    assert!(world.condition("forwarding").is_some_and(|(ok, _)| ok));
    world.kill().await;
}
