//! The systemd unit of the helper: as systemd reads it, and whether the privileges that it leaves are enough.

use std::fs;
use std::path::Path;
use std::process::Command;

use futures_util::StreamExt;
use orchestrator_lab::{Lab, Oci};
use orchestrator_plugin::{Container, ExecRequest, File, FileContent, FoundState, Mark, NetworkMode, TerminalSize};

use crate::support::{new_id, plugin_at, script, until};

const BINARY: &str = env!("CARGO_BIN_EXE_orchestrator-oci");

/// The unit, with a program that is on this machine in place of the one that is installed.
fn unit() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../systemd/orchestrator-oci.service");
    let text = fs::read_to_string(path).unwrap();
    let installed = "=/usr/local/bin/orchestrator-oci ";
    assert_eq!(text.matches(installed).count(), 1);
    text.replace(installed, &format!("={BINARY} "))
}

/// The capabilities that the unit leaves, as setpriv names them: `-all,+net_admin,…`.
fn bounding_set() -> String {
    let unit = unit();
    let set = unit
        .lines()
        .find_map(|line| line.strip_prefix("CapabilityBoundingSet="))
        .unwrap();
    let names = set
        .split(' ')
        .map(|name| format!("+{}", name.strip_prefix("CAP_").unwrap().to_lowercase()));
    std::iter::once("-all".to_owned())
        .chain(names)
        .collect::<Vec<_>>()
        .join(",")
}

#[test]
fn systemd_accepts_the_unit() {
    let directory = std::env::temp_dir().join(format!("orchestrator-oci-unit-{}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    let path = directory.join("orchestrator-oci.service");
    fs::write(&path, unit()).unwrap();
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&path)
        .output();
    fs::remove_dir_all(&directory).unwrap();
    let output = output.expect("systemd-analyze runs; the package systemd has it");
    let said = String::from_utf8_lossy(&output.stderr);
    // It also reads units of the machine, which are none of ours.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("orchestrator")).collect();
    assert!(output.status.success() && ours.is_empty(), "{said}");
}

/// Everything that needs a privilege: images, mounts, files, namespaces, commands, freezing, copies, the end.
#[tokio::test(flavor = "multi_thread")]
async fn the_privileges_of_the_unit_are_enough() {
    let set = format!("--bounding-set={}", bounding_set());
    let prefix = ["setpriv", &set, "--inh-caps=-all", "--no-new-privs"];
    let oci = Oci::start_by(&Lab::new().unwrap(), Path::new(BINARY), &prefix).unwrap();
    oci.import_test_image().unwrap();
    let engine = plugin_at(&oci.socket(), Mark { site: new_id() });
    let container = Container::main(new_id());
    let mut spec = script("sleep 600");
    spec.capabilities = vec!["NET_RAW".to_owned()];
    spec.files = vec![File {
        target: "/etc/secret".into(),
        content: FileContent::Text("x".to_owned()),
        mode: 0o600,
        uid: 5,
        gid: 5,
    }];
    engine
        .ensure(&container, &spec, &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    let command = ExecRequest {
        command: vec!["cat".to_owned(), "/etc/hostname".to_owned()],
        terminal: Some(TerminalSize { columns: 80, rows: 24 }),
        ..ExecRequest::default()
    };
    let mut session = engine.exec(&container, &command).await.unwrap();
    let first = session.output.next().await.unwrap().unwrap();
    assert!(first.bytes().starts_with(b"instance"), "{first:?}");
    engine.pause(&container).await.unwrap();
    engine.stop(&container).await.unwrap();
    until(engine.as_ref(), &container, |state| {
        matches!(state, FoundState::Exited { .. })
    })
    .await;
    let mut archive = engine.read_files(&container, "/etc/secret".as_ref()).await.unwrap();
    assert!(archive.next().await.unwrap().unwrap().len() >= 512);
    engine.remove(&container).await.unwrap();
}
