//! Images that somebody committed from our containers: what is run from them inherits our labels, and is not ours.

use orchestrator_lab::{Engine, TEST_IMAGE};
use orchestrator_plugin::{Container, ContainerSpec, Engine as _, NetworkMode};
use serde_json::json;

use crate::support::{by_hand, commit, forget, inspect, name, new_id, pid, plugin, spec, tag};

#[tokio::test]
async fn a_container_of_an_image_that_was_committed_from_ours_is_never_touched() {
    let engine = Engine::shared();
    let (plugin, id) = (plugin(engine), new_id());
    let made = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    let (image, copy) = (format!("committed-{id}"), format!("copy-{id}"));
    commit(engine, &made.reference, &image);
    let body = json!({ "Image": image, "HostConfig": { "NetworkMode": "none" } });
    let created = engine
        .api("POST", &format!("/containers/create?name={copy}"), Some(&body))
        .unwrap();
    assert_eq!(created.status, 201, "{}", created.text());
    by_hand(engine, "POST", &format!("/containers/{copy}/start"));
    let labels = &inspect(engine, &copy)["Config"]["Labels"];
    assert_eq!(labels["orchestrator.instance"], id.to_string(), "it inherits the mark");

    assert_eq!(plugin.list().await.unwrap(), std::slice::from_ref(&made));
    assert_eq!(plugin.find(&Container::main(id)).await.unwrap(), Some(made));
    plugin.remove(&Container::main(id)).await.unwrap();
    assert_eq!(plugin.find(&Container::main(id)).await.unwrap(), None);
    assert_eq!(inspect(engine, &copy)["State"]["Status"], "running");

    by_hand(engine, "DELETE", &format!("/containers/{copy}?force=true"));
    forget(engine, &image);
}

#[tokio::test]
async fn an_instance_of_an_image_that_was_committed_from_another_is_ours() {
    let engine = Engine::shared();
    let (plugin, first, second) = (plugin(engine), new_id(), new_id());
    let made = plugin
        .ensure(&Container::main(first), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    let image = format!("committed-{second}");
    commit(engine, &made.reference, &image);
    let of_it = ContainerSpec {
        image: image.clone(),
        ..spec()
    };

    let another = plugin
        .ensure(&Container::main(second), &of_it, &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    assert!(pid(&another) > 0);
    assert_eq!(plugin.find(&Container::main(first)).await.unwrap(), Some(made));
    assert_eq!(plugin.list().await.unwrap().len(), 2);
    for id in [first, second] {
        plugin.remove(&Container::main(id)).await.unwrap();
    }
    assert_eq!(plugin.list().await.unwrap(), []);
    forget(engine, &image);
}

#[tokio::test]
async fn the_same_instance_made_again_from_what_was_committed_of_it_is_ours() {
    let engine = Engine::shared();
    let (plugin, id) = (plugin(engine), new_id());
    let image = format!("moving-{id}");
    tag(engine, TEST_IMAGE, &image);
    let of_it = ContainerSpec {
        image: image.clone(),
        ..spec()
    };
    let before = plugin
        .ensure(&Container::main(id), &of_it, &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    // The name of the image now stands for what was made of this very instance.
    commit(engine, &before.reference, &image);
    by_hand(engine, "DELETE", &format!("/containers/{}?force=true", name(&id)));

    let after = plugin
        .ensure(&Container::main(id), &of_it, &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    assert_ne!(after.reference, before.reference);
    assert_eq!(plugin.find(&Container::main(id)).await.unwrap(), Some(after));
    plugin.remove(&Container::main(id)).await.unwrap();
    forget(engine, &image);
}

#[tokio::test]
async fn the_image_s_own_health_check_is_seen_and_not_run() {
    let engine = Engine::shared();
    let (plugin, id) = (plugin(engine), new_id());
    let made = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    let image = format!("checked-{id}");
    let check = json!({ "Healthcheck": { "Test": ["CMD", "false"], "Interval": 1_000_000_000 } });
    let path = format!("/commit?container={}&repo={image}&tag=latest", made.reference);
    assert_eq!(engine.api("POST", &path, Some(&check)).unwrap().status, 201);
    assert!(plugin.check_image(&image).await.unwrap().has_health_check);
    assert!(!plugin.check_image(TEST_IMAGE).await.unwrap().has_health_check);
    plugin.remove(&Container::main(id)).await.unwrap();

    let of_it = ContainerSpec {
        image: image.clone(),
        ..spec()
    };
    plugin
        .ensure(&Container::main(id), &of_it, &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    assert_eq!(inspect(engine, &name(&id))["State"]["Health"], json!(null));
    plugin.remove(&Container::main(id)).await.unwrap();
    forget(engine, &image);
}

#[tokio::test]
async fn the_engine_has_what_instances_need() {
    plugin(Engine::shared()).check_equipment().await.unwrap();
}
