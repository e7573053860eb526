//! An engine that is not there yet, stops, hangs, is killed, and comes back.

use std::time::Duration;

use orchestrator_lab::{Engine, Lab};
use orchestrator_plugin::{Change, Container, Engine as _, EngineError, FoundState, Mark, NetworkMode, Remedy};
use orchestrator_plugin_docker::{DockerEngine, DockerSettings};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::{PATIENCE, new_id, pid, plugin, plugin_within, spec};

/// An engine of the test's own, that it may stop.
fn engine(arguments: &[&str]) -> Engine {
    let lab = Lab::new().expect("a lab");
    let namespace = lab.namespace("engine").expect("a namespace");
    let engine = Engine::start_with(&namespace, arguments).expect("an engine");
    engine.import_test_image().expect("the test image");
    engine
}

#[tokio::test]
async fn an_engine_that_is_not_there_yet_is_unavailable() {
    let host = "unix:///nonexistent/docker.sock".parse().unwrap();
    let settings = DockerSettings {
        host,
        ..DockerSettings::default()
    };
    let plugin = DockerEngine::new("docker", settings, Mark { site: new_id() });
    let (id, spec) = (new_id(), spec());
    let (sender, _receiver) = mpsc::channel(1);
    for fault in [
        plugin.check().await.unwrap_err(),
        plugin.check_image(&spec.image).await.unwrap_err(),
        plugin
            .ensure(&Container::main(id), &spec, &NetworkMode::EngineNamespace)
            .await
            .unwrap_err(),
        plugin.find(&Container::main(id)).await.unwrap_err(),
        plugin.remove(&Container::main(id)).await.unwrap_err(),
        plugin.list().await.unwrap_err(),
        plugin.watch(sender).await,
    ] {
        assert_eq!(fault.remedy(), Remedy::Engine, "{fault:?}");
    }
}

#[tokio::test]
async fn an_engine_that_stops_is_unavailable_until_it_is_back() {
    let engine = engine(&[]);
    let (plugin, id) = (plugin(&engine), new_id());
    let before = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();

    engine.stop().unwrap();
    let fault = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap_err();
    assert!(matches!(fault, EngineError::Unavailable { .. }), "{fault:?}");

    engine.resume().unwrap();
    assert!(matches!(
        plugin.find(&Container::main(id)).await.unwrap().unwrap().state,
        FoundState::Exited { .. }
    ));
    let after = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    assert_eq!(after.reference, before.reference);
    assert_eq!(plugin.list().await.unwrap(), [after]);
}

#[tokio::test]
async fn an_engine_that_was_killed_ends_its_instances_when_it_is_back() {
    let engine = engine(&[]);
    let (plugin, id) = (plugin(&engine), new_id());
    let before = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();

    engine.kill9().unwrap();
    assert_eq!(
        plugin.find(&Container::main(id)).await.unwrap_err().remedy(),
        Remedy::Engine
    );

    engine.resume().unwrap();
    assert!(matches!(
        plugin.find(&Container::main(id)).await.unwrap().unwrap().state,
        FoundState::Exited { .. }
    ));
    let after = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    assert_ne!(pid(&after), pid(&before));
    plugin.remove(&Container::main(id)).await.unwrap();
    assert_eq!(plugin.list().await.unwrap(), []);
}

#[tokio::test]
async fn an_engine_with_live_restore_keeps_its_instances() {
    let engine = engine(&["--live-restore"]);
    let (plugin, id) = (plugin(&engine), new_id());
    let before = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();

    engine.kill9().unwrap();
    engine.resume().unwrap();
    assert_eq!(plugin.find(&Container::main(id)).await.unwrap(), Some(before.clone()));
    assert_eq!(
        plugin
            .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
            .await
            .unwrap(),
        before
    );
    plugin.remove(&Container::main(id)).await.unwrap();
}

#[tokio::test]
async fn a_watch_ends_with_its_engine() {
    let engine = engine(&[]);
    let plugin = plugin(&engine);
    let (sender, mut changes) = mpsc::channel(1);
    let watching = tokio::spawn(async move { plugin.watch(sender).await });
    let first = timeout(PATIENCE, changes.recv()).await.expect("the watch begins");
    assert_eq!(first, Some(Change::Everything));

    engine.kill9().unwrap();
    let fault = timeout(PATIENCE, watching).await.expect("the watch ends").unwrap();
    assert_eq!(fault.remedy(), Remedy::Engine, "{fault:?}");
}

#[tokio::test]
async fn an_engine_that_hangs_is_waited_for_no_longer_than_the_limit() {
    let engine = engine(&[]);
    let (plugin, id) = (plugin_within(&engine, Duration::from_secs(1)), new_id());
    engine.freeze().unwrap();
    let fault = plugin.find(&Container::main(id)).await.unwrap_err();
    assert!(matches!(fault, EngineError::Timeout { seconds: 1, .. }), "{fault:?}");
    assert_eq!(fault.remedy(), Remedy::Retry);

    engine.thaw().unwrap();
    assert_eq!(plugin.find(&Container::main(id)).await.unwrap(), None);
}
