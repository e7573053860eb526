//! What happens behind the plugin's back is told.

use std::sync::Arc;

use orchestrator_lab::Engine;
use orchestrator_plugin::{Change, Container, ContainerKey, Engine as _, FoundState, InstanceId, NetworkMode};
use orchestrator_plugin_docker::DockerEngine;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::{PATIENCE, by_hand, name, new_id, plugin, spec, until};

/// Watches for the rest of the test.
fn watch(plugin: &Arc<DockerEngine>) -> mpsc::Receiver<Change> {
    let (sender, receiver) = mpsc::channel(16);
    let plugin = Arc::clone(plugin);
    tokio::spawn(async move { plugin.watch(sender).await });
    receiver
}

async fn next(changes: &mut mpsc::Receiver<Change>) -> Change {
    timeout(PATIENCE, changes.recv())
        .await
        .expect("a change in time")
        .expect("the watch goes on")
}

async fn next_of(changes: &mut mpsc::Receiver<Change>, id: InstanceId) {
    while next(changes).await != Change::Container(ContainerKey::main(id)) {}
}

#[tokio::test]
async fn a_removal_by_hand_is_told() {
    let engine = Engine::shared();
    let (plugin, id) = (Arc::new(plugin(engine)), new_id());
    plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    let mut changes = watch(&plugin);
    assert_eq!(next(&mut changes).await, Change::Everything);

    by_hand(engine, "DELETE", &format!("/containers/{}?force=true", name(&id)));
    while plugin.find(&Container::main(id)).await.unwrap().is_some() {
        next_of(&mut changes, id).await;
    }
}

#[tokio::test]
async fn an_end_and_a_start_by_hand_are_told() {
    let engine = Engine::shared();
    let (plugin, id) = (Arc::new(plugin(engine)), new_id());
    plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    let mut changes = watch(&plugin);
    assert_eq!(next(&mut changes).await, Change::Everything);

    by_hand(engine, "POST", &format!("/containers/{}/kill?signal=KILL", name(&id)));
    next_of(&mut changes, id).await;
    until(&plugin, &id, |state| matches!(state, FoundState::Exited { code: 137 })).await;
    by_hand(engine, "POST", &format!("/containers/{}/start", name(&id)));
    next_of(&mut changes, id).await;
}

#[tokio::test]
async fn another_site_s_instances_are_not_told() {
    let engine = Engine::shared();
    let (ours, theirs) = (Arc::new(plugin(engine)), plugin(engine));
    let mut changes = watch(&ours);
    assert_eq!(next(&mut changes).await, Change::Everything);

    let (their_id, our_id) = (new_id(), new_id());
    theirs
        .ensure(&Container::main(their_id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    theirs.remove(&Container::main(their_id)).await.unwrap();
    // The engine tells events in order: the first to arrive would be theirs.
    ours.ensure(&Container::main(our_id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    assert_eq!(next(&mut changes).await, Change::Container(ContainerKey::main(our_id)));
}

#[tokio::test]
async fn a_watch_that_nobody_listens_to_ends() {
    let engine = Engine::shared();
    let (plugin, id) = (Arc::new(plugin(engine)), new_id());
    let (sender, mut receiver) = mpsc::channel(1);
    let watching = tokio::spawn({
        let plugin = Arc::clone(&plugin);
        async move { plugin.watch(sender).await }
    });
    assert_eq!(next(&mut receiver).await, Change::Everything);
    drop(receiver);
    plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    let end = timeout(PATIENCE, watching).await.expect("the watch ends").unwrap();
    assert_eq!(end.code(), "engine-failed");
}
