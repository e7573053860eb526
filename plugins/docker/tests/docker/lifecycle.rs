//! Ensure, find, list and remove, repeated, at once, cut short and after others have meddled.

use std::collections::BTreeSet;
use std::time::Duration;

use orchestrator_lab::{Engine, TEST_IMAGE};
use orchestrator_plugin::{
    Container, ContainerKey, ContainerSpec, Engine as _, FoundState, InstanceId, Mark, NetworkMode,
};
use serde_json::json;

use crate::support::{
    PATIENCE, by_hand, inspect, name, new_id, pid, plugin, plugin_for, script, spec, test_image_id, until,
};

#[tokio::test]
async fn the_engine_tells_who_it_is() {
    let facts = plugin(Engine::shared()).check().await.unwrap();
    assert_eq!(facts.name, "Docker Engine");
    assert!(!facts.version.is_empty());
}

#[tokio::test]
async fn an_instance_is_made_found_listed_and_removed() {
    let (plugin, id) = (plugin(Engine::shared()), new_id());
    assert_eq!(plugin.find(&Container::main(id)).await.unwrap(), None);

    let made = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    assert_eq!(made.key, ContainerKey::main(id));
    assert!(std::fs::exists(format!("/proc/{}/ns/net", pid(&made))).unwrap());

    assert_eq!(
        plugin
            .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
            .await
            .unwrap(),
        made
    );
    assert_eq!(plugin.find(&Container::main(id)).await.unwrap(), Some(made.clone()));
    assert_eq!(plugin.list().await.unwrap(), [made]);

    plugin.remove(&Container::main(id)).await.unwrap();
    assert_eq!(plugin.find(&Container::main(id)).await.unwrap(), None);
    assert_eq!(plugin.list().await.unwrap(), []);
    plugin.remove(&Container::main(id)).await.unwrap();
}

#[tokio::test]
async fn list_has_every_state() {
    let (engine, mark) = (Engine::shared(), Mark { site: new_id() });
    let plugin = plugin_for(engine, mark, PATIENCE);
    let (runs, ended, created) = (new_id(), new_id(), new_id());
    plugin
        .ensure(&Container::main(runs), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    plugin
        .ensure(
            &Container::main(ended),
            &script("exit 3"),
            &NetworkMode::EngineNamespace,
        )
        .await
        .unwrap();
    until(&plugin, &ended, |state| *state == FoundState::Exited { code: 3 }).await;
    create_only(engine, mark, created);

    let listed = plugin.list().await.unwrap();
    let state = |id| &listed.iter().find(|found| found.key.instance == id).unwrap().state;
    assert_eq!(listed.len(), 3);
    assert!(matches!(state(runs), FoundState::Running(_)));
    assert_eq!(state(ended), &FoundState::Exited { code: 3 });
    assert_eq!(state(created), &FoundState::Created);

    for id in [runs, ended, created] {
        plugin.remove(&Container::main(id)).await.unwrap();
    }
    assert_eq!(plugin.list().await.unwrap(), []);
}

#[tokio::test]
async fn one_that_was_created_and_not_started_is_started() {
    let (engine, mark, id) = (Engine::shared(), Mark { site: new_id() }, new_id());
    let plugin = plugin_for(engine, mark, PATIENCE);
    create_only(engine, mark, id);
    let created = plugin.find(&Container::main(id)).await.unwrap().unwrap();

    let started = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    assert!(pid(&started) > 0);
    assert_eq!(started.reference, created.reference);
}

/// What a daemon leaves that is killed between the two steps; made of another template at that.
fn create_only(engine: &Engine, mark: Mark, id: InstanceId) {
    let body = json!({
        "Image": TEST_IMAGE,
        "Labels": {
            "orchestrator.site": mark.site,
            "orchestrator.instance": id,
            "orchestrator.image": test_image_id(engine),
        },
        "HostConfig": { "NetworkMode": "none" },
    });
    let created = engine
        .api("POST", &format!("/containers/create?name={}", name(&id)), Some(&body))
        .unwrap();
    assert_eq!(created.status, 201, "{}", created.text());
}

#[tokio::test]
async fn one_that_was_stopped_by_hand_starts_again_as_another_process() {
    let engine = Engine::shared();
    let (plugin, id) = (plugin(engine), new_id());
    let before = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    by_hand(engine, "POST", &format!("/containers/{}/stop", name(&id)));
    assert!(matches!(
        plugin.find(&Container::main(id)).await.unwrap().unwrap().state,
        FoundState::Exited { .. }
    ));

    let after = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    assert_eq!(after.reference, before.reference);
    assert_ne!(pid(&after), pid(&before));
}

#[tokio::test]
async fn one_that_was_paused_by_hand_goes_on() {
    let engine = Engine::shared();
    let (plugin, id) = (plugin(engine), new_id());
    let before = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    by_hand(engine, "POST", &format!("/containers/{}/pause", name(&id)));
    let paused = plugin.find(&Container::main(id)).await.unwrap().unwrap();
    assert_eq!(paused.reference, before.reference);
    assert!(matches!(&paused.state, FoundState::Paused(running) if running.pid == pid(&before)));

    assert_eq!(
        plugin
            .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
            .await
            .unwrap(),
        before
    );
    assert_eq!(plugin.find(&Container::main(id)).await.unwrap(), Some(before));
    assert_eq!(inspect(engine, &name(&id))["State"]["Status"], "running");
}

#[tokio::test]
async fn one_that_was_removed_by_hand_is_made_anew() {
    let engine = Engine::shared();
    let (plugin, id) = (plugin(engine), new_id());
    let before = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    by_hand(engine, "DELETE", &format!("/containers/{}?force=true", name(&id)));
    assert_eq!(plugin.find(&Container::main(id)).await.unwrap(), None);

    let after = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    assert_ne!(after.reference, before.reference);
}

#[tokio::test]
async fn one_that_was_renamed_by_hand_can_still_be_removed() {
    let engine = Engine::shared();
    let (plugin, id) = (plugin(engine), new_id());
    plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    by_hand(
        engine,
        "POST",
        &format!("/containers/{}/rename?name=renamed-{id}", name(&id)),
    );
    assert_eq!(plugin.list().await.unwrap().len(), 1);

    plugin.remove(&Container::main(id)).await.unwrap();
    assert_eq!(plugin.list().await.unwrap(), []);
}

#[tokio::test]
async fn an_instance_outlives_its_image() {
    let engine = Engine::shared();
    let (plugin, id) = (plugin(engine), new_id());
    let image = format!("orchestrator/short-lived-{id}");
    by_hand(engine, "POST", &format!("/images/{TEST_IMAGE}/tag?repo={image}"));
    let of_image = ContainerSpec {
        image: image.clone(),
        ..spec()
    };
    let made = plugin
        .ensure(&Container::main(id), &of_image, &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    by_hand(engine, "DELETE", &format!("/images/{image}"));
    assert_eq!(plugin.check_image(&image).await.unwrap_err().code(), "image-missing");

    assert_eq!(
        plugin
            .ensure(&Container::main(id), &of_image, &NetworkMode::EngineNamespace)
            .await
            .unwrap(),
        made
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_for_one_instance_make_one() {
    let (plugin, id) = (plugin(Engine::shared()), new_id());
    let (container, template) = (Container::main(id), spec());
    let calls = (0..8).map(|_| plugin.ensure(&container, &template, &NetworkMode::EngineNamespace));
    let made = futures_util::future::try_join_all(calls).await.unwrap();
    let references: BTreeSet<_> = made.iter().map(|found| (&found.reference, pid(found))).collect();
    assert_eq!(references.len(), 1);
    assert_eq!(plugin.list().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_removals_at_once_all_succeed() {
    let (plugin, id) = (plugin(Engine::shared()), new_id());
    plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    let container = Container::main(id);
    futures_util::future::try_join_all((0..8).map(|_| plugin.remove(&container)))
        .await
        .unwrap();
    assert_eq!(plugin.list().await.unwrap(), []);
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
