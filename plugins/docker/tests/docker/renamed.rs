//! The mark decides whose a container is, whatever its name.

use orchestrator_lab::Engine;
use orchestrator_plugin::{Container, Engine as _, FoundState, NetworkMode};

use crate::support::{by_hand, inspect, name, new_id, plugin, spec};

#[tokio::test]
async fn an_instance_that_was_renamed_by_hand_is_found_kept_and_removed() {
    let engine = Engine::shared();
    let (plugin, id) = (plugin(engine), new_id());
    let made = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    by_hand(
        engine,
        "POST",
        &format!("/containers/{}/rename?name=web-{id}", name(&id)),
    );

    assert_eq!(plugin.find(&Container::main(id)).await.unwrap(), Some(made.clone()));
    assert_eq!(
        plugin
            .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
            .await
            .unwrap(),
        made,
        "no second one is made"
    );
    plugin.stop(&Container::main(id)).await.unwrap();
    assert!(matches!(
        plugin.find(&Container::main(id)).await.unwrap().unwrap().state,
        FoundState::Exited { .. }
    ));
    assert_eq!(
        plugin
            .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
            .await
            .unwrap()
            .reference,
        made.reference
    );
    assert_eq!(inspect(engine, &made.reference)["Name"], format!("/web-{id}"));

    plugin.remove(&Container::main(id)).await.unwrap();
    assert_eq!(plugin.list().await.unwrap(), []);
}
