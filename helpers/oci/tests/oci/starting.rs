//! Commands whose start nobody waits for to its end. Each is reaped: otherwise the first process of its container could not end.
//!
//! The runtime is held back by a script in front of it, until the test lets it go.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt;
use orchestrator_lab::{Lab, Oci, poll};
use orchestrator_plugin::{Container, Engine, EngineError, ExecRequest, Mark, NetworkMode};

use crate::support::{PATIENCE, new_id, plugin_at, script};

/// A helper whose runtime says when it was called to start a command, and then waits.
struct Held {
    oci: Oci,
    place: PathBuf,
}

/// What the runtime does when it is called to start a command: it waits until the test lets it go, and ends with this code.
fn waiting(code: u8) -> String {
    format!("while test -d PLACE && ! test -e PLACE/go; do sleep 0.02; done\nrunc \"$@\"\n: >PLACE/ended\nexit {code}")
}

/// It starts the command, and then hangs for as long as the test lasts, with a process of its own below it.
const HANGING: &str = "runc \"$@\"\n: >PLACE/started\nwhile test -d PLACE; do sleep 0.02; done";

impl Held {
    /// `seconds` is how long the helper waits for a start.
    fn start(seconds: &str, starts: &str) -> Self {
        Self::start_with(starts, &["--starting", seconds])
    }

    fn start_with(starts: &str, options: &[&str]) -> Self {
        let lab = Lab::new().unwrap();
        let place = lab.place("held").unwrap();
        let runtime = place.join("runtime");
        let text = format!(
            "#!/bin/sh\ncase \" $* \" in *\" exec \"*) ;; *) exec runc \"$@\" ;; esac\n\
             echo $$ >>PLACE/called\n{starts}\n",
        );
        fs::write(&runtime, text.replace("PLACE", &place.display().to_string())).unwrap();
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o755)).unwrap();
        let arguments = [&["--runtime", runtime.to_str().unwrap()], options].concat();
        let oci = Oci::start_with(&lab, Path::new(env!("CARGO_BIN_EXE_orchestrator-oci")), &arguments).unwrap();
        oci.import_test_image().unwrap();
        Self { oci, place }
    }

    /// Waits until no process of a runtime is left that was called, not even one that nobody has reaped.
    fn wait_for_no_runtime(&self) {
        let called = fs::read_to_string(self.place.join("called")).unwrap();
        let is_there = |pid: &str| Path::new("/proc").join(pid).exists();
        poll("the runtime to be gone", PATIENCE, || {
            (!called.lines().any(is_there)).then_some(())
        })
        .unwrap();
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
    let held = Held::start("30", &waiting(0));
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
async fn a_runtime_that_hangs_is_ended_with_what_it_started_and_holds_up_no_removal() {
    for (starts, file) in [(waiting(0), "called"), (HANGING.to_owned(), "started")] {
        let held = Held::start("1", &starts);
        let (engine, container, request) = running(&held).await;
        let late = engine.exec(&container, &request).await.map(drop).unwrap_err();
        assert!(matches!(late, EngineError::Timeout { .. }), "{late:?}");
        held.wait_for(file);
        held.wait_for_no_runtime();
        engine.remove(&container).await.unwrap();
        // No process of it is left.
        poll("all shims to end", PATIENCE, || {
            held.oci.shims().ok().filter(Vec::is_empty)
        })
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_beyond_the_limits_are_refused_until_others_have_ended() {
    let limits = ["--starting", "30", "--commands-each", "2", "--commands", "3"];
    let held = Held::start_with("exec runc \"$@\"", &limits);
    let (engine, container, request) = running(&held).await;
    let other = Container::main(new_id());
    let spec = script("sleep 600");
    engine
        .ensure(&other, &spec, &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    let refused = async |container: &Container, words: &str| {
        let refused = engine.exec(container, &request).await.map(drop).unwrap_err();
        assert!(matches!(refused, EngineError::Busy { .. }), "{refused:?}");
        assert!(refused.to_string().contains(words), "{refused}");
    };
    let first = engine.exec(&container, &request).await.unwrap();
    let mut second = engine.exec(&container, &request).await.unwrap();
    refused(&container, "2 commands run in it").await;
    let _third = engine.exec(&other, &request).await.unwrap();
    refused(&other, "3 commands run on this host").await;
    // A command whose caller is gone has its place until it ends.
    drop(first);
    refused(&container, "2 commands run in it").await;
    engine.remove(&container).await.unwrap();
    // The removal of a container ends its commands. The helper frees the place of a command before it sends the exit code.
    while second.output.next().await.is_some() {}
    assert_eq!(second.control.exit_code().await.unwrap(), Some(137));
    let short = ExecRequest {
        command: ["sh", "-c", "exit 0"].map(str::to_owned).into(),
        ..ExecRequest::default()
    };
    for _ in 0..5 {
        let mut session = engine.exec(&other, &short).await.unwrap();
        while session.output.next().await.is_some() {}
        assert_eq!(session.control.exit_code().await.unwrap(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_runtime_fails_after_the_start_holds_up_no_removal() {
    let held = Held::start("30", &waiting(1));
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
