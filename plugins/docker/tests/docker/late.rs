//! A creation that is under way when its instance is removed.

use std::time::Duration;

use orchestrator_lab::Engine;
use orchestrator_plugin::{Change, Container, ContainerKey, Engine as _, Mark, NetworkMode};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::gate::Gate;
use crate::support::{PATIENCE, new_id, plugin_behind, spec};

#[tokio::test]
async fn a_container_that_comes_after_its_creator_gave_up_is_told_of() {
    let (engine, mark, id) = (Engine::shared(), Mark { site: new_id() }, new_id());
    let gate = Gate::before(engine, "/containers/create");
    let plugin = plugin_behind(&gate, mark, Duration::from_secs(2));
    let (sender, mut changes) = mpsc::channel(16);
    let watch = tokio::spawn({
        let plugin = plugin.clone();
        async move { plugin.watch(sender).await }
    });
    assert_eq!(changes.recv().await, Some(Change::Everything));
    let ensured = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap_err();
    assert_eq!(ensured.code(), "engine-timeout", "{ensured}");
    plugin.remove(&Container::main(id)).await.unwrap();
    gate.pass.add_permits(1);
    let told = timeout(PATIENCE, changes.recv()).await.unwrap();
    assert_eq!(told, Some(Change::Container(ContainerKey::main(id))));
    plugin.remove(&Container::main(id)).await.unwrap();
    assert_eq!(plugin.list().await.unwrap(), []);
    watch.abort();
}
