//! Plugins, templates and a look at the engine behind the plugin's back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use orchestrator_lab::{Engine, TEST_IMAGE};
use orchestrator_plugin::{Container, ContainerSpec, Engine as _, Found, FoundState, Id, InstanceId, Mark};
use orchestrator_plugin_docker::{Dialect, DockerEngine, DockerSettings};
use serde_json::{Value, json};

use crate::gate::Gate;

/// More than anything here should take, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn new_id() -> Id {
    Id::random().expect("the random source works")
}

/// A plugin for a site of its own, so that tests that share an engine do not see each other.
pub(crate) fn plugin(engine: &Engine) -> DockerEngine {
    plugin_within(engine, PATIENCE)
}

/// A plugin for a site of its own that waits for the engine no longer than `timeout`.
pub(crate) fn plugin_within(engine: &Engine, timeout: Duration) -> DockerEngine {
    plugin_for(engine, Mark { site: new_id() }, timeout)
}

/// A plugin for this site.
pub(crate) fn plugin_for(engine: &Engine, mark: Mark, timeout: Duration) -> DockerEngine {
    plugin_at(Dialect::Docker, &engine.url(), mark, timeout)
}

/// A plugin for this site and an engine of this dialect at a socket.
pub(crate) fn plugin_at(dialect: Dialect, url: &str, mark: Mark, timeout: Duration) -> DockerEngine {
    let settings = DockerSettings {
        host: url.parse().expect("it is a socket"),
        timeout,
        ..DockerSettings::of(dialect)
    };
    DockerEngine::new("docker", settings, mark)
}

/// A plugin for this site whose requests go through `gate`.
pub(crate) fn plugin_behind(gate: &Gate, mark: Mark, timeout: Duration) -> Arc<DockerEngine> {
    Arc::new(plugin_at(Dialect::Docker, &gate.url(), mark, timeout))
}

/// A small web server without limits or capabilities.
pub(crate) fn spec() -> ContainerSpec {
    ContainerSpec {
        image: TEST_IMAGE.to_owned(),
        hostname: "instance".to_owned(),
        ..ContainerSpec::default()
    }
}

/// A template that runs `script` in place of the web server.
pub(crate) fn script(script: &str) -> ContainerSpec {
    ContainerSpec {
        command: ["sh", "-c", script].map(str::to_owned).into(),
        ..spec()
    }
}

pub(crate) fn name(id: &InstanceId) -> String {
    format!("orchestrator-{id}")
}

/// The process id of an instance that must be running.
#[track_caller]
pub(crate) fn pid(found: &Found) -> u32 {
    match &found.state {
        FoundState::Running(running) => running.pid,
        other => panic!("{} should run and is {other:?}", found.key.instance),
    }
}

/// Waits until the instance is in a state that `is` accepts.
pub(crate) async fn until(plugin: &DockerEngine, id: &InstanceId, is: impl Fn(&FoundState) -> bool) -> Found {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = plugin
            .find(&Container::main(*id))
            .await
            .expect("the engine answers")
            .expect("the instance is there");
        if is(&found.state) {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain, {id} is {:?}", found.state);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Asks the engine to do something to a container behind the plugin's back.
#[track_caller]
pub(crate) fn by_hand(engine: &Engine, method: &str, path: &str) {
    let answer = engine.api(method, path, None).expect("the engine answers");
    assert!(
        matches!(answer.status, 200..300),
        "{method} {path}: {} {}",
        answer.status,
        answer.text()
    );
}

/// Gives the image `from` this name too.
#[track_caller]
pub(crate) fn tag(engine: &Engine, from: &str, image: &str) {
    by_hand(engine, "POST", &format!("/images/{from}/tag?repo={image}&tag=latest"));
}

/// Commits the container to an image of this name.
#[track_caller]
pub(crate) fn commit(engine: &Engine, container: &str, image: &str) {
    by_hand(
        engine,
        "POST",
        &format!("/commit?container={container}&repo={image}&tag=latest"),
    );
}

/// Removes an image, whatever still names it.
#[track_caller]
pub(crate) fn forget(engine: &Engine, image: &str) {
    by_hand(engine, "DELETE", &format!("/images/{image}?force=true"));
}

/// Does the same as `docker update --restart always`.
#[track_caller]
pub(crate) fn restart_always(engine: &Engine, container: &str) {
    let body = json!({ "RestartPolicy": { "Name": "always" } });
    let path = format!("/containers/{container}/update");
    let answer = engine.api("POST", &path, Some(&body)).expect("the engine answers");
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// The engine's own account of a container.
#[track_caller]
pub(crate) fn inspect(engine: &Engine, name: &str) -> Value {
    let answer = engine
        .api("GET", &format!("/containers/{name}/json"), None)
        .expect("the engine answers");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().expect("the engine answers JSON")
}

/// The id of the test image, as the engine tells it.
pub(crate) fn test_image_id(engine: &Engine) -> String {
    let answer = engine.api("GET", &format!("/images/{TEST_IMAGE}/json"), None);
    let image = answer.expect("the engine answers").json().expect("JSON");
    image["Id"].as_str().expect("an id").to_owned()
}

/// An archive, as `docker save` writes it, of a new image that does what the test image does and has this name.
pub(crate) fn archive_of_test_image(engine: &Engine, name: &str) -> Vec<u8> {
    let body = json!({ "Image": TEST_IMAGE, "Labels": { "orchestrator.test": new_id() } });
    let created = engine.api("POST", "/containers/create", Some(&body));
    let created = created.expect("the engine answers").json().expect("JSON");
    let container = created["Id"].as_str().expect("an id").to_owned();
    let (repository, tag) = name.rsplit_once(':').expect("a tag");
    let path = format!("/commit?container={container}&repo={repository}&tag={tag}");
    // Podman wants a body.
    let committed = engine.api("POST", &path, Some(&json!({}))).expect("the engine answers");
    assert_eq!(committed.status, 201, "{}", committed.text());
    by_hand(engine, "DELETE", &format!("/containers/{container}?force=true"));
    let archive = engine.api("GET", &format!("/images/{name}/get"), None);
    let archive = archive.expect("the engine answers").body;
    forget(engine, name);
    archive
}
