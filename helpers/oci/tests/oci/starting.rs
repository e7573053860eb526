//! Commands whose start nobody waits for to its end. Each is reaped: otherwise the first process of its container could not end.
//!
//! The runtime is held back by a script in front of it, until the test lets it go.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orchestrator_lab::{Lab, Oci, poll};
use orchestrator_plugin::{Container, Engine, EngineError, ExecRequest, Mark, NetworkMode};

use crate::support::{PATIENCE, new_id, plugin_at, script};

/// A helper whose runtime says when it was called to start a command, and then waits.
struct Held {
    oci: Oci,
    place: PathBuf,
}

impl Held {
    /// `seconds` is how long the helper waits for a start, and `code` what the runtime ends with when it has made one.
    fn start(seconds: &str, code: &str) -> Self {
        let lab = Lab::new().unwrap();
        let place = lab.place("held").unwrap();
        let runtime = place.join("runtime");
        let text = format!(
            "#!/bin/sh\ncase \" $* \" in *\" exec \"*) ;; *) exec runc \"$@\" ;; esac\n\
             : >{0}/called\nwhile test -d {0} && ! test -e {0}/go; do sleep 0.02; done\nrunc \"$@\"\n: >{0}/ended\nexit {code}\n",
            place.display()
        );
        fs::write(&runtime, text).unwrap();
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o755)).unwrap();
        let arguments = ["--runtime", runtime.to_str().unwrap(), "--starting", seconds];
        let oci = Oci::start_with(&lab, Path::new(env!("CARGO_BIN_EXE_orchestrator-oci")), &arguments).unwrap();
        oci.import_test_image().unwrap();
        Self { oci, place }
    }

    fn wait_for(&self, file: &str) {
        let file = self.place.join(file);
        poll("the runtime", PATIENCE, || file.exists().then_some(())).unwrap();
    }

    /// Lets the runtime go, and waits until it has started the command.
    fn let_go(&self) {
        fs::write(self.place.join("go"), "").unwrap();
        self.wait_for("ended");
    }
}

async fn running(held: &Held) -> (Arc<dyn Engine>, Container, ExecRequest) {
    let engine = plugin_at(&held.oci.socket(), Mark { site: new_id() });
    let container = Container::main(new_id());
    let spec = script("sleep 600");
    let made = engine.ensure(&container, &spec, &NetworkMode::EngineNamespace).await;
    made.unwrap();
    let request = ExecRequest {
        command: ["sleep", "600"].map(str::to_owned).into(),
        ..ExecRequest::default()
    };
    (engine, container, request)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_while_its_command_starts_holds_up_no_removal() {
    let held = Held::start("30", "0");
    let (engine, container, request) = running(&held).await;
    let call = {
        let (engine, container) = (engine.clone(), container.clone());
        tokio::spawn(async move { engine.exec(&container, &request).await.map(drop) })
    };
    held.wait_for("called");
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    held.let_go();
    engine.remove(&container).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_starts_after_its_time_is_ended_and_holds_up_no_removal() {
    let held = Held::start("1", "0");
    let (engine, container, request) = running(&held).await;
    let late = engine.exec(&container, &request).await.map(drop).unwrap_err();
    assert!(matches!(late, EngineError::Timeout { .. }), "{late:?}");
    held.let_go();
    engine.remove(&container).await.unwrap();
    // No process of it is left.
    poll("all shims to end", PATIENCE, || {
        held.oci.shims().ok().filter(Vec::is_empty)
    })
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_runtime_fails_after_the_start_holds_up_no_removal() {
    let held = Held::start("30", "1");
    let (engine, container, request) = running(&held).await;
    let call = {
        let (engine, container) = (engine.clone(), container.clone());
        tokio::spawn(async move { engine.exec(&container, &request).await.map(drop) })
    };
    held.wait_for("called");
    held.let_go();
    call.await.unwrap().unwrap_err();
    engine.remove(&container).await.unwrap();
}
