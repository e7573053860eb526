//! Instances of services with a lifetime.

use std::time::Duration;

use orchestrator_model::{EventKind, OperationState};
use serde_json::json;
use tokio::time::sleep;

use super::fleet::{Fleet, web};

#[tokio::test(start_paused = true)]
async fn instances_with_a_lifetime_are_replaced_before_it_ends_and_none_is_missed() {
    let mut fleet = Fleet::serving(41, 2).await;
    let mut keys = web("one", 2);
    keys["lifetime"] = json!("1h");
    fleet.deploy(keys);
    assert_eq!(fleet.ended("web").await.state, OperationState::Done);
    fleet.watch.promise("web", 2);
    let happened = |fleet: &Fleet, kind| fleet.world.records.happened(kind);
    let before = happened(&fleet, EventKind::SlotOpened);
    sleep(Duration::from_secs(3 * 3600)).await;
    assert_eq!(happened(&fleet, EventKind::InstanceExpired), 0, "by force");
    let opened = happened(&fleet, EventKind::SlotOpened) - before;
    assert!((6..=12).contains(&opened), "{opened} replacements in three hours");
    fleet.judge("web", 2).unwrap();
    fleet.kill().await;
}
