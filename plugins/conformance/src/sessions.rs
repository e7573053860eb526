//! Commands in a container, its log, its use, its pause.

use std::time::Duration;

use futures_util::StreamExt;
use orchestrator_plugin::{
    Capability, ContainerSpec, ExecRequest, ExecSession, File, FileContent, FoundState, LogRequest, Output,
    OutputStream, TerminalSize,
};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::support::{OWN, PATIENCE, Ran, can, collect, doing, fresh, pid, run, spec, until};
use crate::{Act, Program, Subject, Tool};

/// Both ways, with what goes to standard error apart.
pub async fn a_command_runs_with_input_output_and_exit_code(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    if !can(engine.as_ref(), Capability::Exec) {
        return;
    }
    let made = engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
    let ran = |code, stdout: &str, stderr: &str| Ran {
        code,
        stdout: stdout.to_owned(),
        stderr: stderr.to_owned(),
    };
    let run = async |tool, input| run(subject, engine.as_ref(), &made.container(), tool, input).await;
    let long = "a line that is echoed\n".repeat(10_000);
    assert_eq!(run(Tool::Echo, &long).await, ran(0, &long, ""));
    assert_eq!(run(Tool::Exit(7), "").await, ran(7, "", ""));
    assert_eq!(run(Tool::Say("out", "err"), "").await, ran(0, "out", "err"));
    assert_eq!(engine.find(&container).await.unwrap(), Some(made), "it runs on");
    engine.remove(&container).await.unwrap();
}

async fn size(session: &mut ExecSession) -> String {
    session.input.write_all(b"\n").await.expect("it takes input");
    session.input.flush().await.expect("it takes input");
    let mut shown = String::new();
    // A terminal echoes what is typed.
    while !shown.trim().contains(' ') || !shown.ends_with('\n') {
        let piece = timeout(PATIENCE, session.output.next()).await.expect("it answers");
        let piece = piece.expect("it goes on").expect("the stream is whole");
        assert!(matches!(piece, Output::Stdout(_)), "a terminal has one stream");
        shown.push_str(str::from_utf8(piece.bytes()).expect("text"));
    }
    shown.trim().to_owned()
}

/// Its size is the one that was asked for, and the one that it was changed to.
pub async fn a_command_has_a_terminal_that_can_be_resized(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    if !can(engine.as_ref(), Capability::ExecTerminal) {
        return;
    }
    engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
    let request = ExecRequest {
        command: subject.tool(&Tool::Size),
        terminal: Some(TerminalSize { columns: 91, rows: 17 }),
        ..ExecRequest::default()
    };
    let mut session = engine.exec(&container, &request).await.unwrap();
    assert_eq!(size(&mut session).await, "17 91");
    let other = TerminalSize { columns: 133, rows: 44 };
    session.control.resize(other).await.unwrap();
    assert_eq!(size(&mut session).await, "44 133");
    assert_eq!(session.control.exit_code().await.unwrap(), None, "it runs on");
    engine.remove(&container).await.unwrap();
}

/// Each verb that needs a running container says so.
pub async fn nothing_runs_in_what_does_not_run(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    let request = ExecRequest {
        command: subject.tool(&Tool::Exit(0)),
        ..ExecRequest::default()
    };
    let can = |capability| can(engine.as_ref(), capability);
    for _ in 0..2 {
        let mut faults = Vec::new();
        if can(Capability::Exec) {
            faults.extend(engine.exec(&container, &request).await.err());
        }
        if can(Capability::Stats) {
            faults.extend(engine.stats(&container).await.err());
        }
        if can(Capability::Pause) {
            faults.extend(engine.pause(&container).await.err());
        }
        let expected = [Capability::Exec, Capability::Stats, Capability::Pause];
        assert_eq!(faults.len(), expected.into_iter().filter(|one| can(*one)).count());
        for fault in faults {
            assert_eq!(fault.code(), "not-running", "{fault}");
        }
        engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
        engine.stop(&container).await.unwrap();
    }
    engine.remove(&container).await.unwrap();
}

async fn read_until(output: &mut OutputStream, what: &str) -> String {
    let mut text = String::new();
    while !text.contains(what) {
        let piece = timeout(PATIENCE, output.next()).await.expect("it is written");
        let piece = piece.expect("it goes on").expect("the stream is whole");
        text.push_str(str::from_utf8(piece.bytes()).expect("text"));
    }
    text
}

/// From the beginning, from the end, and on until the container ends.
pub async fn what_was_written_is_read_and_followed(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    if !can(engine.as_ref(), Capability::Logs) {
        return;
    }
    let says = doing(subject, Program::Say("to the output\n", "to the error\n"));
    let made = engine.ensure(&container, &says, &OWN).await.unwrap();
    let follow = LogRequest {
        follow: true,
        ..LogRequest::default()
    };
    let mut followed = engine.logs(&container, &follow).await.unwrap();
    read_until(&mut followed, "to the error").await;
    let all = engine.logs(&container, &LogRequest::default()).await.unwrap();
    assert_eq!(
        collect(all).await,
        ("to the output\n".to_owned(), "to the error\n".to_owned())
    );
    let last = LogRequest {
        tail: Some(1),
        ..LogRequest::default()
    };
    let last = collect(engine.logs(&container, &last).await.unwrap()).await;
    assert_eq!(last.0.lines().count() + last.1.lines().count(), 1, "{last:?}");

    subject.act(&made.reference, Act::Kill).await;
    let (_, rest) = timeout(PATIENCE, collect(followed))
        .await
        .expect("it ends with the container");
    assert!(!rest.contains("to the error"), "nothing comes twice: {rest:?}");
    let kept = collect(engine.logs(&container, &LogRequest::default()).await.unwrap()).await;
    assert_eq!(kept.0, "to the output\n", "also of one that has ended");
    engine.remove(&container).await.unwrap();
    let Err(gone) = engine.logs(&container, &LogRequest::default()).await else {
        panic!("the container is gone");
    };
    assert_eq!(gone.code(), "not-running");
}

/// A running container uses resources.
pub async fn what_a_container_uses_is_measured(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    if !can(engine.as_ref(), Capability::Stats) {
        return;
    }
    engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
    let stats = engine.stats(&container).await.unwrap();
    assert!(stats.memory > 0 && stats.cpu > Duration::ZERO, "{stats:?}");
    assert!(stats.pids.is_none_or(|pids| pids > 0), "{stats:?}");
    engine.remove(&container).await.unwrap();
}

/// What a container wrote counts, whether it runs or not.
pub async fn what_a_container_wrote_is_measured(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    if !can(engine.as_ref(), Capability::Disk) || !can(engine.as_ref(), Capability::Files) {
        return;
    }
    let absent = engine.disk(&container).await.unwrap_err();
    assert_eq!(absent.code(), "not-running");
    let large = File {
        target: "/large".into(),
        content: FileContent::Text("0123456789abcdef".repeat(2048)),
        mode: File::default_mode(),
        uid: 0,
        gid: 0,
    };
    let spec = ContainerSpec {
        files: vec![large],
        ..spec(subject)
    };
    let made = engine.ensure(&container, &spec, &OWN).await.unwrap();
    let running = engine.disk(&made.container()).await.unwrap();
    assert!(running.bytes >= 32 << 10, "{running:?}");
    engine.stop(&made.container()).await.unwrap();
    let stopped = engine.disk(&made.container()).await.unwrap();
    assert!(stopped.bytes >= 32 << 10, "{stopped:?}");
    engine.remove(&container).await.unwrap();
    assert_eq!(engine.disk(&container).await.unwrap_err().code(), "not-running");
}

/// Twice is once, and ensure ends it.
pub async fn a_container_is_paused_and_goes_on(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    if !can(engine.as_ref(), Capability::Pause) {
        return;
    }
    let made = engine.ensure(&container, &spec(subject), &OWN).await.unwrap();
    engine.pause(&made.container()).await.unwrap();
    engine.pause(&made.container()).await.unwrap();
    let paused = |state: &FoundState| matches!(state, FoundState::Paused(running) if running.pid == pid(&made));
    until(engine.as_ref(), &container, paused).await;
    assert_eq!(engine.ensure(&container, &spec(subject), &OWN).await.unwrap(), made);
    engine.remove(&container).await.unwrap();
}
