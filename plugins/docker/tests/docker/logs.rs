//! The log of a container is limited, whatever it writes and whatever the engine's default is.

use std::fs;
use std::path::Path;

use futures_util::StreamExt;
use orchestrator_lab::{Engine, Lab};
use orchestrator_plugin::{Container, Engine as _, FoundState, LogRequest, Mark, NetworkMode};
use orchestrator_plugin_docker::{Dialect, DockerEngine, DockerSettings, LogLimit};

use crate::support::{PATIENCE, inspect, name, new_id, script, until};

const OWN: NetworkMode = NetworkMode::EngineNamespace;

/// Lines that the container writes, of 64 bytes each: 640 KB in all.
const WRITES: &str = "n=0; while [ $n -lt 10000 ]; do n=$((n+1)); printf '%063d\\n' $n; done; exit 5";

fn plugin(engine: &Engine, dialect: Dialect, log: LogLimit) -> DockerEngine {
    let settings = DockerSettings {
        host: engine.url().parse().unwrap(),
        timeout: PATIENCE,
        log,
        ..DockerSettings::of(dialect)
    };
    DockerEngine::new("engine", settings, Mark { site: new_id() })
}

/// All that the engine still has of the output.
async fn log_of(plugin: &DockerEngine, container: &Container, tail: Option<u32>) -> String {
    let request = LogRequest {
        tail,
        ..LogRequest::default()
    };
    let pieces: Vec<_> = plugin.logs(container, &request).await.unwrap().collect().await;
    let bytes = pieces.into_iter().flat_map(|piece| piece.unwrap().bytes().to_vec());
    String::from_utf8(bytes.collect()).unwrap()
}

/// The bytes of the files of a log.
fn on_disk(path: &Path) -> u64 {
    let begins = path.file_name().unwrap().to_string_lossy().into_owned();
    let entries = fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap());
    let of_log = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&begins));
    of_log.map(|entry| entry.metadata().unwrap().len()).sum()
}

async fn is_bounded(engine: &Engine, dialect: Dialect, log: LogLimit) {
    let (plugin, id) = (plugin(engine, dialect, log), new_id());
    let container = Container::main(id);
    plugin.ensure(&container, &script(WRITES), &OWN).await.unwrap();
    until(&plugin, &id, |state| *state == FoundState::Exited { code: 5 }).await;
    let most = log.size * u64::from(log.files);
    let all = log_of(&plugin, &container, None).await;
    assert!(!all.is_empty() && all.len() as u64 <= most, "{} bytes", all.len());
    let path = inspect(engine, &name(&id))["LogPath"].as_str().unwrap().to_owned();
    // The line that fills a file may be longer than the room that was left.
    let (used, slack) = (on_disk(Path::new(&path)), 1024);
    assert!(used > 0 && used <= most + slack, "{used} of {most} bytes in {path}");
    let last = log_of(&plugin, &container, Some(2)).await;
    let numbers: Vec<u32> = last.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(numbers, [9999, 10000]);
    plugin.remove(&container).await.unwrap();
}

#[tokio::test]
async fn docker_keeps_so_many_files_of_the_size_whatever_its_default_is() {
    let lab = Lab::new().unwrap();
    let engine = Engine::start_with(&lab.namespace("engine").unwrap(), &["--log-driver=none"]).unwrap();
    engine.import_test_image().unwrap();
    is_bounded(
        &engine,
        Dialect::Docker,
        LogLimit {
            size: 32 << 10,
            files: 3,
        },
    )
    .await;
    is_bounded(
        &engine,
        Dialect::Docker,
        LogLimit {
            size: 64 << 10,
            files: 2,
        },
    )
    .await;
}

#[tokio::test]
async fn podman_keeps_one_file_of_the_size() {
    let engine = Engine::shared_podman();
    is_bounded(
        engine,
        Dialect::Podman,
        LogLimit {
            size: 64 << 10,
            files: 1,
        },
    )
    .await;
}

#[test]
fn the_defaults_keep_two_mebibytes() {
    for dialect in [Dialect::Docker, Dialect::Podman] {
        let log = LogLimit::of(dialect);
        assert_eq!(log.size * u64::from(log.files), 2 << 20);
    }
}
