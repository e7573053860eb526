//! Containers that somebody else works on with the engine's own commands.

use std::time::Duration;

use orchestrator_lab::{Engine, Lab, TEST_IMAGE};
use orchestrator_plugin::{Container, ContainerSpec, Engine as _, EngineError, FoundState, Mark, NetworkMode};
use serde_json::{Value, json};

use crate::gate::Gate;
use crate::support::{by_hand, inspect, new_id, plugin, plugin_behind, restart_always, spec, tag};

fn own_engine() -> Engine {
    let engine = Engine::start(&Lab::new().unwrap().namespace("engine").unwrap()).unwrap();
    engine.import_test_image().unwrap();
    engine
}

fn policy(engine: &Engine, container: &str) -> Value {
    inspect(engine, container)["HostConfig"]["RestartPolicy"]["Name"].clone()
}

#[tokio::test]
async fn a_stopped_container_that_was_pruned_is_made_again() {
    let engine = own_engine();
    let (plugin, id) = (plugin(&engine), new_id());
    let made = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    plugin.stop(&Container::main(id)).await.unwrap();
    by_hand(&engine, "POST", "/containers/prune");
    assert_eq!(plugin.find(&Container::main(id)).await.unwrap(), None);
    let again = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    assert_ne!(again.reference, made.reference);
    // All that nobody uses goes, images too: what runs keeps its own.
    by_hand(
        &engine,
        "POST",
        "/images/prune?filters=%7B%22dangling%22%3A%5B%22false%22%5D%7D",
    );
    assert_eq!(plugin.find(&Container::main(id)).await.unwrap(), Some(again));
    plugin.stop(&Container::main(id)).await.unwrap();
    by_hand(&engine, "POST", "/containers/prune");
    by_hand(
        &engine,
        "POST",
        "/images/prune?filters=%7B%22dangling%22%3A%5B%22false%22%5D%7D",
    );
    let missing = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap_err();
    assert!(matches!(missing, EngineError::ImageMissing { .. }), "{missing}");
    assert!(missing.to_string().contains(TEST_IMAGE), "{missing}");
}

#[tokio::test]
async fn an_instance_whose_image_lost_its_name_is_still_found_started_and_removed() {
    let engine = Engine::shared();
    let (plugin, id) = (plugin(engine), new_id());
    let image = format!("moving-{id}");
    tag(engine, TEST_IMAGE, &image);
    let of_it = ContainerSpec {
        image: image.clone(),
        ..spec()
    };
    let made = plugin
        .ensure(&Container::main(id), &of_it, &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    by_hand(engine, "DELETE", &format!("/images/{image}?force=true"));
    assert_eq!(plugin.find(&Container::main(id)).await.unwrap(), Some(made.clone()));
    plugin.stop(&Container::main(id)).await.unwrap();
    let again = plugin
        .ensure(&Container::main(id), &of_it, &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    assert_eq!(again.reference, made.reference);
    plugin.remove(&Container::main(id)).await.unwrap();
    assert_eq!(plugin.find(&Container::main(id)).await.unwrap(), None);
}

#[tokio::test]
async fn the_engine_does_not_start_what_was_stopped_whatever_policy_somebody_gave_it() {
    let engine = own_engine();
    let (plugin, id) = (plugin(&engine), new_id());
    let made = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    restart_always(&engine, &made.reference);
    plugin.stop(&Container::main(id)).await.unwrap();
    assert_eq!(policy(&engine, &made.reference), "no");
    // An engine that starts runs whatever its policy says before it answers.
    engine.restart().unwrap();
    let found = plugin.find(&Container::main(id)).await.unwrap().unwrap();
    assert!(matches!(found.state, FoundState::Exited { .. }), "{found:?}");
}

#[tokio::test]
async fn a_restart_policy_that_somebody_gave_to_an_instance_is_taken_back() {
    let engine = Engine::shared();
    let (plugin, id) = (plugin(engine), new_id());
    let made = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    restart_always(engine, &made.reference);
    assert_eq!(
        plugin
            .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
            .await
            .unwrap(),
        made,
        "it runs on"
    );
    assert_eq!(policy(engine, &made.reference), "no");
    plugin.stop(&Container::main(id)).await.unwrap();
    restart_always(engine, &made.reference);
    plugin.stop(&Container::main(id)).await.unwrap();
    assert_eq!(policy(engine, &made.reference), "no", "also of what does not run");
    plugin.remove(&Container::main(id)).await.unwrap();
}

#[tokio::test]
async fn an_engine_that_changes_no_restart_policy_still_runs_and_stops_the_container() {
    let (engine, mark, id) = (Engine::shared(), Mark { site: new_id() }, new_id());
    // No update gets through.
    let gate = Gate::before(engine, "/update");
    let plugin = plugin_behind(&gate, mark, Duration::from_secs(5));
    let made = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    restart_always(engine, &made.reference);
    assert_eq!(
        plugin
            .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
            .await
            .unwrap(),
        made,
        "it runs on"
    );
    let refusal = plugin.stop(&Container::main(id)).await.unwrap_err();
    assert_eq!(refusal.code(), "engine-timeout", "{refusal}");
    let found = plugin.find(&Container::main(id)).await.unwrap().unwrap();
    plugin.remove(&Container::main(id)).await.unwrap();
    assert!(matches!(found.state, FoundState::Exited { .. }), "{found:?}");
}

#[tokio::test]
async fn an_instance_has_no_network_of_the_engine_s_whatever_anybody_connects() {
    let engine = Engine::shared();
    let (plugin, id) = (plugin(engine), new_id());
    let made = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    let network = format!("n-{id}");
    let body = json!({ "Name": network, "Driver": "bridge", "Internal": true });
    let created = engine.api("POST", "/networks/create", Some(&body)).unwrap();
    assert_eq!(created.status, 201, "{}", created.text());
    let body = json!({ "Container": made.reference });
    let answer = engine
        .api("POST", &format!("/networks/{network}/connect"), Some(&body))
        .unwrap();
    plugin.remove(&Container::main(id)).await.unwrap();
    by_hand(engine, "DELETE", &format!("/networks/{network}"));
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("private (none) mode"), "{}", answer.text());
}
