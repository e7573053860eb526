//! Properties of a container's life that only Docker has.

use std::time::Duration;

use orchestrator_lab::Engine;
use orchestrator_plugin::{Container, ContainerSpec, Engine as _, FoundState, NetworkMode};

use crate::support::{new_id, pid, plugin, script, spec, until};

#[tokio::test]
async fn the_engine_tells_who_it_is() {
    let facts = plugin(Engine::shared()).check().await.unwrap();
    assert_eq!(facts.name, "Docker Engine");
    assert!(!facts.version.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_cut_short_is_finished_by_the_next() {
    let (plugin, template) = (plugin(Engine::shared()), spec());
    for milliseconds in [0, 2, 5, 10, 50, 100, 200] {
        let id = new_id();
        drop(
            tokio::time::timeout(
                Duration::from_millis(milliseconds),
                plugin.ensure(&Container::main(id), &template, &NetworkMode::EngineNamespace),
            )
            .await,
        );
        let made = plugin
            .ensure(&Container::main(id), &template, &NetworkMode::EngineNamespace)
            .await
            .unwrap();
        assert!(pid(&made) > 0);
        assert_eq!(
            plugin.list().await.unwrap(),
            [made],
            "cut short after {milliseconds} ms"
        );
        plugin.remove(&Container::main(id)).await.unwrap();
    }
}

#[tokio::test]
async fn an_instance_that_ends_at_once_says_how() {
    let (plugin, id) = (plugin(Engine::shared()), new_id());
    plugin
        .ensure(&Container::main(id), &script("exit 7"), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    until(&plugin, &id, |state| *state == FoundState::Exited { code: 7 }).await;

    // The engine's init runs first, so that it is the one to find that there is no such program.
    let (id, command) = (new_id(), vec!["/no/such/program".to_owned()]);
    plugin
        .ensure(
            &Container::main(id),
            &ContainerSpec { command, ..spec() },
            &NetworkMode::EngineNamespace,
        )
        .await
        .unwrap();
    until(&plugin, &id, |state| *state == FoundState::Exited { code: 127 }).await;
}
