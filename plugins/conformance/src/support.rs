//! Shared parts of the tests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use orchestrator_plugin::{
    ByteStream, Capability, Container, ContainerSpec, Engine, ExecRequest, Found, FoundState, Id, Mark, NetworkMode,
    Output, OutputStream,
};
use tokio::io::AsyncWriteExt;

use crate::{Program, Subject, Tool};

/// The time limit of any step, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The network of containers whose network does not matter.
pub(crate) const OWN: NetworkMode = NetworkMode::EngineNamespace;

pub(crate) fn new_id() -> Id {
    Id::random().expect("the random source works")
}

pub(crate) fn new_mark() -> Mark {
    Mark { site: new_id() }
}

/// A plugin for a site of its own, and a container that was never made.
pub(crate) fn fresh(subject: &impl Subject) -> (Arc<dyn Engine>, Container) {
    (subject.engine(new_mark()), Container::main(new_id()))
}

/// A container that does this.
pub(crate) fn doing(subject: &impl Subject, program: Program) -> ContainerSpec {
    ContainerSpec {
        image: subject.image(),
        hostname: "instance".to_owned(),
        command: subject.program(&program),
        ..ContainerSpec::default()
    }
}

/// A container that runs until it is stopped.
pub(crate) fn spec(subject: &impl Subject) -> ContainerSpec {
    doing(subject, Program::Run)
}

/// The process id of a container that must be running.
#[track_caller]
pub(crate) fn pid(found: &Found) -> u32 {
    match &found.state {
        FoundState::Running(running) => running.pid,
        other => panic!("{} should run and is {other:?}", found.key),
    }
}

#[track_caller]
pub(crate) fn assert_exited(found: Option<Found>) {
    let state = found.map(|found| found.state);
    assert!(matches!(state, Some(FoundState::Exited { .. })), "{state:?}");
}

/// Waits until the container is in a state that `is` accepts.
pub(crate) async fn until(engine: &dyn Engine, container: &Container, is: impl Fn(&FoundState) -> bool) -> Found {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = engine.find(container).await.expect("the engine answers");
        let found = found.expect("the container is there");
        if is(&found.state) {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain, it is {:?}", found.state);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether the engine says that it can do this.
pub(crate) fn can(engine: &dyn Engine, capability: Capability) -> bool {
    engine.capabilities().has(capability)
}

/// The result of a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: i64,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command in a container, with this input, to its end.
pub(crate) async fn run(
    subject: &impl Subject,
    engine: &dyn Engine,
    container: &Container,
    tool: Tool,
    input: &str,
) -> Ran {
    let request = ExecRequest {
        command: subject.tool(&tool),
        ..ExecRequest::default()
    };
    let mut session = engine.exec(container, &request).await.expect("the command starts");
    session.input.write_all(input.as_bytes()).await.expect("it takes input");
    session.input.shutdown().await.expect("its input ends");
    let (stdout, stderr) = collect(session.output).await;
    let deadline = Instant::now() + PATIENCE;
    let code = loop {
        match session.control.exit_code().await.expect("the engine answers") {
            Some(code) => break code,
            None => assert!(Instant::now() < deadline, "it does not end"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    Ran { code, stdout, stderr }
}

/// All that a stream has, as text: standard output and standard error.
pub(crate) async fn collect(mut output: OutputStream) -> (String, String) {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    while let Some(piece) = tokio::time::timeout(PATIENCE, output.next()).await.expect("it ends") {
        match piece.expect("the stream is whole") {
            Output::Stdout(bytes) => stdout.extend_from_slice(&bytes),
            Output::Stderr(bytes) => stderr.extend_from_slice(&bytes),
        }
    }
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (text(stdout), text(stderr))
}

/// All bytes of a stream.
pub(crate) async fn bytes(stream: ByteStream) -> Vec<u8> {
    let chunks: Vec<Bytes> = stream.try_collect().await.expect("the stream is whole");
    chunks.concat()
}
