//! Containers of others are not changed, and errors say what to do.

use orchestrator_lab::{Engine, TEST_IMAGE};
use orchestrator_plugin::{Container, ContainerSpec, Engine as _, EngineError, NetworkMode, Resources};
use serde_json::json;

use crate::support::{inspect, name, new_id, plugin, spec};

#[tokio::test]
async fn a_stranger_with_our_name_is_left_alone() {
    let engine = Engine::shared();
    let (plugin, id) = (plugin(engine), new_id());
    let path = format!("/containers/create?name={}", name(&id));
    let created = engine
        .api("POST", &path, Some(&json!({ "Image": TEST_IMAGE })))
        .unwrap();
    assert_eq!(created.status, 201, "{}", created.text());

    let refusal = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap_err();
    assert!(matches!(refusal, EngineError::Refused { .. }), "{refusal}");
    assert_eq!(
        refusal.to_string(),
        format!(
            "engine refused to create {}: a container of that name is there and is not ours; remove or rename it",
            name(&id)
        )
    );
    assert_eq!(plugin.find(&Container::main(id)).await.unwrap(), None);
    plugin.remove(&Container::main(id)).await.unwrap();
    assert_eq!(inspect(engine, &name(&id))["State"]["Status"], "created");
}

#[tokio::test]
async fn what_the_engine_will_never_do_is_for_the_operator() {
    let plugin = plugin(Engine::shared());
    let no_image = ContainerSpec {
        image: "Not An Image".to_owned(),
        ..spec()
    };
    let no_capability = ContainerSpec {
        capabilities: vec!["NO_SUCH".to_owned()],
        ..spec()
    };
    let no_memory = ContainerSpec {
        resources: Resources {
            memory: Some(4096),
            ..Resources::default()
        },
        ..spec()
    };
    for spec in [no_image, no_capability, no_memory] {
        let id = new_id();
        let fault = plugin
            .ensure(&Container::main(id), &spec, &NetworkMode::EngineNamespace)
            .await
            .unwrap_err();
        assert!(matches!(fault, EngineError::Refused { .. }), "{spec:?}: {fault:?}");
        plugin.remove(&Container::main(id)).await.unwrap();
    }
    assert_eq!(plugin.list().await.unwrap(), []);
}
