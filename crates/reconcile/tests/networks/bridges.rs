//! Bridges of networks are made, mended, and removed once their network has gone.

use orchestrator_host::fake::{FakeBridge, Faults};
use orchestrator_host::{BridgePurpose, Id};

use crate::daemon::{SETTINGS, World, after};

/// A change of a bridge, and what is said of it.
type Change = (fn(&mut FakeBridge), &'static str);

fn bridge(world: &World) -> Option<FakeBridge> {
    world.machine.with(|state| state.bridges.get("storage").cloned())
}

fn without_network() -> String {
    let end = SETTINGS.find("[[network]]").unwrap();
    SETTINGS[..end].to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_bridge_is_made_and_goes_with_its_network() {
    let mut world = World::new(1, SETTINGS);
    world.start();
    after(1).await;
    let made = bridge(&world).unwrap();
    assert_eq!(
        (made.made_for, made.address),
        (Some(BridgePurpose::Network), Some("fd50::1/64".parse().unwrap()))
    );
    assert_eq!(world.condition("network storage"), Some((true, String::new())));
    world.change_settings(&without_network());
    after(2).await;
    assert_eq!((bridge(&world), world.condition("network storage")), (None, None));
    assert!(
        world.machine.with(|state| state.bridges.contains_key("br0")),
        "it is a link's"
    );
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_bridge_stays_until_the_last_instance_has_left_it() {
    let mut world = World::new(2, SETTINGS);
    world.start();
    after(1).await;
    let (id, process) = (Id::from_bytes([1; 6]), 1);
    let attachment = orchestrator_host::fake::FakeAttachment {
        instance: id,
        bridge: "storage".to_owned(),
        address: None,
        process,
        isolated: false,
        routed: Vec::new(),
    };
    world.machine.with(|state| state.attachments.insert(id, attachment));
    world.change_settings(&without_network());
    after(5).await;
    assert!(bridge(&world).is_some());
    world.machine.with(|state| state.attachments.clear());
    after(2).await;
    assert_eq!(bridge(&world), None);
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn what_somebody_changes_or_removes_is_mended_and_recorded() {
    let mut world = World::new(3, &SETTINGS.replace("[[network]]", "[[network]]\nmtu = 9000"));
    world.start();
    after(1).await;
    let changes: [Change; 3] = [
        (|bridge| bridge.up = false, "it is down"),
        (|bridge| bridge.address = None, "its address fd50::1/64 is gone"),
        (|bridge| bridge.mtu = 1500, "its MTU is 1500"),
    ];
    let made = bridge(&world).unwrap();
    for (change, said) in changes {
        world.machine.change_bridge("storage", change);
        after(2).await;
        assert_eq!(bridge(&world).as_ref(), Some(&made));
        assert!(
            world.events().contains(&format!("{said}: mended")),
            "{}",
            world.events()
        );
    }
    world.machine.remove_bridge("storage");
    after(2).await;
    let again = bridge(&world).unwrap();
    assert!(again.index != made.index && again.address == made.address && again.mtu == 9000);
    assert!(world.events().contains("bridge storage was removed"));
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_bridge_that_others_made_is_never_removed() {
    let mut world = World::new(4, SETTINGS);
    world.machine.add_bridge("storage", 1023);
    world.start();
    after(1).await;
    assert_eq!(bridge(&world).map(|bridge| bridge.made_for), Some(None));
    world.change_settings(&without_network());
    after(5).await;
    assert!(bridge(&world).is_some());
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_bridge_that_is_not_to_be_made_is_awaited() {
    let mut world = World::new(5, &SETTINGS.replace("[[network]]", "[[network]]\ncreate = false"));
    world.start();
    after(3).await;
    let (ok, reason) = world.condition("network storage").unwrap();
    assert!(!ok && reason.contains("storage"), "{reason}");
    world.machine.add_bridge("storage", 1023);
    after(2).await;
    assert_eq!(world.condition("network storage"), Some((true, String::new())));
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_program_that_keeps_changing_a_bridge_is_named() {
    let mut world = World::new(6, SETTINGS);
    world.start();
    after(1).await;
    for _ in 0..60 {
        world.machine.change_bridge("storage", |bridge| bridge.up = false);
        after(1).await;
    }
    let (ok, reason) = world.condition("network storage").unwrap();
    assert!(!ok && reason.contains("something else manages storage"), "{reason}");
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_fails_is_asked_again_until_the_bridge_is_there() {
    let mut world = World::new(7, SETTINGS);
    world.machine.set_faults(Faults {
        fails_before: 700,
        fails_after: 200,
        ..Faults::none()
    });
    world.start();
    after(60).await;
    assert!(bridge(&world).is_some());
    world.machine.set_faults(Faults::none());
    after(3).await;
    assert_eq!(world.condition("network storage"), Some((true, String::new())));
    world.kill().await;
}
