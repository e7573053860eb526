//! The version of the API: what is asked of an engine, and what is asked for.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures_util::{StreamExt, stream};
use orchestrator_plugin::{
    Container, ContainerSpec, Engine as _, ExecRequest, File, FileContent, LogRequest, Mark, NetworkMode, TerminalSize,
};
use orchestrator_plugin_docker::{Dialect, DockerEngine};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use crate::support::{PATIENCE, new_id, plugin_at};

/// Docker 29 refuses requests of versions before this one.
const OLDEST: (u32, u32) = (1, 44);

/// An engine that records the path of each request, refuses old versions, and has one container, of our making.
struct Recorder {
    path: PathBuf,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    /// One that answers so about its version.
    fn start(version: &Value, container: &Container, mark: Mark) -> Self {
        let path = std::env::temp_dir().join(format!("orchestrator-recorder-{}", new_id()));
        let listener = UnixListener::bind(&path).expect("a socket in the temporary directory");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (recorded, version, inspected) = (asked.clone(), version.clone(), inspected(container, mark));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (recorded, version, inspected) = (recorded.clone(), version.clone(), inspected.clone());
                tokio::spawn(async move { serve(stream, &recorded, &version, &inspected).await });
            }
        });
        Self { path, asked }
    }

    fn url(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The engine's account of a container that runs.
fn inspected(container: &Container, mark: Mark) -> Value {
    json!({
        "Id": "c0ffee",
        "Image": "sha256:0a1b",
        "State": { "Status": "running", "Running": true, "Pid": std::process::id() },
        "Config": { "Env": [], "Labels": {
            "orchestrator.site": mark.site,
            "orchestrator.instance": container.key.instance,
            "orchestrator.container": "main",
            "orchestrator.image": "0a1b",
        }},
        "HostConfig": { "NetworkMode": "none" },
    })
}

async fn serve(mut stream: UnixStream, asked: &Mutex<Vec<String>>, version: &Value, inspected: &Value) {
    let mut head = vec![0; 64 << 10];
    let Ok(length @ 1..) = stream.read(&mut head).await else {
        return;
    };
    let line = String::from_utf8_lossy(&head[..length]);
    let line = line.lines().next().unwrap_or_default().to_owned();
    asked.lock().unwrap().push(line.clone());
    let path = line.split(' ').nth(1).unwrap_or_default();
    let (status, body) = match path.split('?').next().unwrap_or_default() {
        "/version" => (200, version.clone()),
        "/containers/json" => {
            let labels = &inspected["Config"]["Labels"];
            let summary = json!({ "Id": "c0ffee", "ImageID": "sha256:0a1b", "Labels": labels, "Names": ["/x"] });
            (200, json!([summary]))
        }
        path if path.starts_with("/images/") => (200, json!({ "Id": "sha256:0a1b" })),
        path if path.starts_with("/containers/") && path.ends_with("/json") => (200, inspected.clone()),
        path if path.ends_with("/exec") => (201, json!({ "Id": "e" })),
        "/containers/create" => (201, json!({ "Id": "c0ffee", "Warnings": [] })),
        _ => (200, json!({})),
    };
    let body = body.to_string();
    let answer = format!(
        "HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
}

/// Asks the engine everything that a plugin can ask. What comes of it does not matter here.
async fn every_verb(plugin: &DockerEngine, container: &Container) {
    let spec = ContainerSpec {
        image: "image".to_owned(),
        files: vec![File {
            target: "/etc/x".into(),
            content: FileContent::Text("x".to_owned()),
            mode: 0o600,
            uid: 0,
            gid: 0,
        }],
        ..ContainerSpec::default()
    };
    let terminal = Some(TerminalSize { columns: 80, rows: 24 });
    let command = |terminal| ExecRequest {
        command: vec!["true".to_owned()],
        terminal,
        ..ExecRequest::default()
    };
    let _ = plugin.check_equipment().await;
    let _ = plugin.check_image("image").await;
    let _ = plugin.ensure(container, &spec, &NetworkMode::EngineNamespace).await;
    let other = Container::main(new_id());
    let _ = plugin.ensure(&other, &spec, &NetworkMode::EngineNamespace).await;
    let _ = plugin.find(container).await;
    let _ = plugin.list().await;
    let _ = plugin.environment(container, "").await;
    let _ = plugin.exec(container, &command(None)).await;
    let _ = plugin.exec(container, &command(terminal)).await;
    if let Ok(output) = plugin.logs(container, &LogRequest::default()).await {
        let _: Vec<_> = output.collect().await;
    }
    let _ = plugin.stats(container).await;
    let _ = plugin.pause(container).await;
    let _ = plugin.read_files(container, "/etc".as_ref()).await;
    let _ = plugin
        .write_files(container, "/".as_ref(), Box::pin(stream::empty()))
        .await;
    let _ = plugin.stop(container).await;
    let _ = plugin.remove(container).await;
    let (sender, _receiver) = mpsc::channel(4);
    plugin.watch(sender).await;
}

/// The version that a request names.
fn version_of(line: &str) -> Option<(u32, u32)> {
    let path = line.split(' ').nth(1)?.strip_prefix("/v")?;
    let (major, minor) = path.split('/').next()?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn docker(api: &str, oldest: &str) -> Value {
    json!({ "Version": "29.0.0", "ApiVersion": api, "MinAPIVersion": oldest, "Components": [{ "Name": "Engine", "Version": "29.0.0" }] })
}

#[tokio::test]
async fn no_request_of_a_version_that_docker_29_refuses_is_sent() {
    let (mark, container) = (Mark { site: new_id() }, Container::main(new_id()));
    let recorder = Recorder::start(&docker("1.52", "1.44"), &container, mark);
    let plugin = plugin_at(Dialect::Docker, &recorder.url(), mark, PATIENCE);
    plugin.check().await.unwrap();
    every_verb(&plugin, &container).await;
    let asked = recorder.asked();
    let old: Vec<_> = asked
        .iter()
        .filter(|line| version_of(line).is_some_and(|version| version < OLDEST))
        .collect();
    assert!(old.is_empty(), "{old:?}");
    // That everything was asked.
    for piece in [
        "GET /version",
        "GET /info",
        "GET /images/",
        "POST /containers/create",
        "/archive",
        "/start",
        "/json",
        "/exec ",
        "POST /exec/e/start",
        "/logs?",
        "/stats?",
        "/pause",
        "/stop",
        "DELETE /containers/",
        "GET /events",
    ] {
        assert!(
            asked.iter().any(|line| line.contains(piece)),
            "{piece:?} is not in {asked:#?}"
        );
    }
}

#[test]
fn an_old_version_would_be_found() {
    assert_eq!(version_of("GET /v1.41/containers/json HTTP/1.1"), Some((1, 41)));
    assert_eq!(version_of("GET /version HTTP/1.1"), None);
    assert!(version_of("GET /v1.41/info HTTP/1.1").is_some_and(|version| version < OLDEST));
}

#[tokio::test]
async fn an_engine_is_asked_for_its_version_and_told_which_is_needed() {
    let (mark, container) = (Mark { site: new_id() }, Container::main(new_id()));
    let podman = |api: &str| json!({ "Version": "4.3.1", "ApiVersion": api, "Components": [{ "Name": "Podman Engine", "Version": "4.3.1" }] });
    let recorder = Recorder::start(&podman("1.41"), &container, mark);
    let facts = plugin_at(Dialect::Podman, &recorder.url(), mark, PATIENCE)
        .check()
        .await;
    assert_eq!(facts.unwrap().name, "Podman Engine");

    for (dialect, version, remedy) in [
        (Dialect::Podman, podman("1.40"), "use Podman 4 or newer"),
        (Dialect::Docker, docker("1.40", "1.12"), "use Docker 20.10 or newer"),
    ] {
        let recorder = Recorder::start(&version, &container, mark);
        let fault = plugin_at(dialect, &recorder.url(), mark, PATIENCE)
            .check()
            .await
            .unwrap_err();
        assert_eq!(fault.code(), "engine-refused");
        let text = fault.to_string();
        assert!(
            text.contains("it speaks API \"1.40\" and 1.41 is needed") && text.contains(remedy),
            "{text}"
        );
    }
}
