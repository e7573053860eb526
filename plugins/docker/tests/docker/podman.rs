//! Features and differences of Podman.

use std::os::unix::fs::MetadataExt;
use std::{fs, path::Path};

use futures_util::StreamExt;
use orchestrator_lab::{Engine, TEST_IMAGE};
use orchestrator_plugin::{
    Capability, Container, ContainerSpec, Engine as _, ExecRequest, FoundState, Mark, NetworkMode, Resolver,
    RunningNetwork,
};
use orchestrator_plugin_docker::{Dialect, DockerEngine};
use serde_json::json;

use crate::support::{PATIENCE, by_hand, new_id, pid, plugin_at, script};

const OWN: NetworkMode = NetworkMode::EngineNamespace;

fn plugin(engine: &Engine) -> DockerEngine {
    plugin_at(Dialect::Podman, &engine.url(), Mark { site: new_id() }, PATIENCE)
}

/// The output of a command in a container.
async fn output_of(plugin: &DockerEngine, container: &Container, command: &[&str]) -> String {
    let request = ExecRequest {
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        ..ExecRequest::default()
    };
    let session = plugin.exec(container, &request).await.unwrap();
    let pieces: Vec<_> = session.output.collect().await;
    let bytes = pieces.into_iter().flat_map(|piece| piece.unwrap().bytes().to_vec());
    String::from_utf8(bytes.collect()).unwrap()
}

#[tokio::test]
async fn a_container_is_in_the_prepared_namespace_from_its_first_instruction() {
    let engine = Engine::shared_podman();
    let (plugin, container) = (plugin(engine), Container::main(new_id()));
    let path = engine.prepare_namespace(&new_id().to_string()).unwrap();
    let mode = NetworkMode::Prepared(path.clone());
    let inode = "stat -L -c %i /proc/self/ns/net >/tmp/inode; sleep 600";
    let made = plugin.ensure(&container, &script(inode), &mode).await.unwrap();
    let FoundState::Running(running) = &made.state else {
        panic!("{made:?}");
    };
    assert_eq!(running.network, RunningNetwork::Prepared(path.clone()));
    let of_process = fs::metadata(format!("/proc/{}/ns/net", running.pid)).unwrap().ino();
    let show = ["sh", "-c", "while ! test -s /tmp/inode; do :; done; cat /tmp/inode"];
    let first = output_of(&plugin, &container, &show).await;
    assert_eq!(first.trim(), of_process.to_string());

    // It outlives its container: the next one is in the same.
    plugin.remove(&container).await.unwrap();
    let again = plugin.ensure(&container, &script("sleep 600"), &mode).await.unwrap();
    let of_next = fs::metadata(format!("/proc/{}/ns/net", pid(&again))).unwrap().ino();
    assert_eq!(of_next, of_process);
    plugin.remove(&container).await.unwrap();
}

#[tokio::test]
async fn name_servers_and_host_name_are_configured_in_a_prepared_namespace_too() {
    let engine = Engine::shared_podman();
    let (plugin, container) = (plugin(engine), Container::main(new_id()));
    let path = engine.prepare_namespace(&new_id().to_string()).unwrap();
    let spec = ContainerSpec {
        resolver: Some(Resolver {
            servers: vec!["fd39::53".parse().unwrap()],
            search: vec!["lab.example".to_owned()],
        }),
        hostname: "lamp".to_owned(),
        ..script("sleep 600")
    };
    plugin
        .ensure(&container, &spec, &NetworkMode::Prepared(path))
        .await
        .unwrap();
    let shown = output_of(&plugin, &container, &["cat", "/etc/resolv.conf"]).await;
    let lines: Vec<_> = shown.lines().collect();
    assert!(
        lines.contains(&"nameserver fd39::53") && lines.contains(&"search lab.example"),
        "{lines:?}"
    );
    assert_eq!(output_of(&plugin, &container, &["hostname"]).await.trim(), "lamp");
    plugin.remove(&container).await.unwrap();
}

#[tokio::test]
async fn what_shares_the_network_of_a_container_goes_with_it() {
    let (plugin, main) = (plugin(Engine::shared_podman()), Container::main(new_id()));
    let first = plugin.ensure(&main, &script("sleep 600"), &OWN).await.unwrap();
    let proxy = Container::from(main.key.sibling(&"proxy".parse().unwrap()));
    let shared = NetworkMode::Shared(first.container());
    plugin.ensure(&proxy, &script("sleep 600"), &shared).await.unwrap();
    plugin.remove(&first.container()).await.unwrap();
    assert_eq!(plugin.list().await.unwrap(), []);
}

#[tokio::test]
async fn a_stranger_that_shares_the_network_of_ours_is_left_alone_and_named() {
    let engine = Engine::shared_podman();
    let (plugin, main) = (plugin(engine), Container::main(new_id()));
    let first = plugin.ensure(&main, &script("sleep 600"), &OWN).await.unwrap();
    let body = json!({
        "Image": TEST_IMAGE,
        "HostConfig": { "NetworkMode": format!("container:{}", first.reference) },
    });
    let path = format!("/containers/create?name=debug-{}", main.key.instance);
    let created = engine.api("POST", &path, Some(&body)).unwrap().json().unwrap();
    let stranger = created["Id"].as_str().unwrap();
    let fault = plugin.remove(&first.container()).await.unwrap_err();
    assert_eq!(fault.code(), "engine-failed");
    assert!(fault.to_string().contains(stranger), "{fault}");
    by_hand(engine, "DELETE", &format!("/containers/{stranger}?force=true"));
    plugin.remove(&first.container()).await.unwrap();
    assert_eq!(plugin.list().await.unwrap(), []);
}

#[tokio::test]
async fn an_engine_of_the_other_kind_is_refused_with_the_kind_to_write() {
    for (url, dialect, kind) in [
        (Engine::shared_podman().url(), Dialect::Docker, "podman"),
        (Engine::shared().url(), Dialect::Podman, "docker"),
    ] {
        let wrong = plugin_at(dialect, &url, Mark { site: new_id() }, PATIENCE);
        let fault = wrong.check().await.unwrap_err();
        assert_eq!(fault.code(), "engine-refused");
        assert!(fault.to_string().contains(&format!("set kind = {kind:?}")), "{fault}");
    }
}

#[tokio::test]
async fn docker_takes_no_prepared_namespace() {
    let plugin = plugin_at(
        Dialect::Docker,
        &Engine::shared().url(),
        Mark { site: new_id() },
        PATIENCE,
    );
    assert!(!plugin.capabilities().has(Capability::PreparedNamespace));
    let mode = NetworkMode::Prepared(Path::new("/run/netns/x").to_owned());
    let fault = plugin
        .ensure(&Container::main(new_id()), &script("sleep 600"), &mode)
        .await
        .unwrap_err();
    assert_eq!(fault.code(), "engine-unsupported");
}
