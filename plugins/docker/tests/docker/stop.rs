//! Stopping an instance, and starting it again.

use orchestrator_lab::Engine;
use orchestrator_plugin::{Container, Engine as _, FoundState, NetworkMode};

use crate::support::{by_hand, name, new_id, pid, plugin, script, spec, until};

#[tokio::test]
async fn a_stopped_instance_does_not_run_and_starts_again_with_what_it_wrote() {
    let (plugin, id) = (plugin(Engine::shared()), new_id());
    let script = script("test -e /tmp/started && exit 9; : >/tmp/started; sleep 600");
    let made = plugin
        .ensure(&Container::main(id), &script, &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    pid(&made);
    plugin.stop(&Container::main(id)).await.unwrap();
    let stopped = plugin.find(&Container::main(id)).await.unwrap().unwrap();
    assert_eq!(stopped.reference, made.reference);
    assert!(matches!(stopped.state, FoundState::Exited { .. }), "{stopped:?}");
    plugin
        .ensure(&Container::main(id), &script, &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    // Its second start finds the trace of the first.
    until(&plugin, &id, |state| *state == FoundState::Exited { code: 9 }).await;
    plugin.remove(&Container::main(id)).await.unwrap();
}

#[tokio::test]
async fn stopping_what_does_not_run_or_is_not_there_is_success() {
    let (plugin, id) = (plugin(Engine::shared()), new_id());
    plugin.stop(&Container::main(id)).await.unwrap();
    plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    plugin.stop(&Container::main(id)).await.unwrap();
    plugin.stop(&Container::main(id)).await.unwrap();
    plugin.remove(&Container::main(id)).await.unwrap();
    plugin.stop(&Container::main(id)).await.unwrap();
}

#[tokio::test]
async fn a_paused_instance_is_stopped_too() {
    let (engine, id) = (Engine::shared(), new_id());
    let plugin = plugin(engine);
    plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    by_hand(engine, "POST", &format!("/containers/{}/pause", name(&id)));
    plugin.stop(&Container::main(id)).await.unwrap();
    let stopped = plugin.find(&Container::main(id)).await.unwrap().unwrap();
    assert!(matches!(stopped.state, FoundState::Exited { .. }), "{stopped:?}");
    plugin.remove(&Container::main(id)).await.unwrap();
}

#[tokio::test]
async fn a_stranger_s_container_of_that_name_runs_on() {
    let (engine, id) = (Engine::shared(), new_id());
    let (owner, stranger) = (plugin(engine), plugin(engine));
    owner
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    stranger.stop(&Container::main(id)).await.unwrap();
    pid(&owner.find(&Container::main(id)).await.unwrap().unwrap());
    owner.remove(&Container::main(id)).await.unwrap();
}
