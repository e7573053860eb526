//! What runs in instances, through the API: commands, output, use of the machine.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use orchestrator::api::{Caller, ControlError, Inside, Peer, Role, RunControl};
use orchestrator::api_types::{ExecEnd, FRAMES, Frame, FrameDecoder, FrameKind};
use orchestrator::model::{
    ByteStream, Container, EngineError, EventKind, ExecControl, ExecRequest, ExecSession, Instance, LogRequest,
    NewEvent, Output, OutputStream, Phase, Stats, TerminalSize, Timestamp,
};
use orchestrator::store::InstanceUpdate;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;

use crate::daemon::Daemon;
use crate::http::{Answer, ask, ask_with};

const PATH: &str = "/v1/instances/010101010101";

/// Containers that know four programs. It notes what it is asked for.
pub(crate) struct FakeRuns(pub(crate) Arc<Mutex<Vec<String>>>);

impl FakeRuns {
    fn note(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }
}

/// How a program of the fake ended, and the size of its terminal.
#[derive(Default)]
struct Fate {
    code: Mutex<Option<i64>>,
    size: Mutex<Option<TerminalSize>>,
}

#[async_trait]
impl ExecControl for Fate {
    async fn resize(&self, size: TerminalSize) -> Result<(), EngineError> {
        *self.size.lock().unwrap() = Some(size);
        Ok(())
    }

    async fn exit_code(&self) -> Result<Option<i64>, EngineError> {
        Ok(*self.code.lock().unwrap())
    }
}

#[async_trait]
impl RunControl for FakeRuns {
    async fn exec(
        &self,
        by: &Caller,
        _: &Instance,
        container: &Container,
        request: &ExecRequest,
    ) -> Result<ExecSession, ControlError> {
        self.note(format!(
            "exec {} in {} by {by}",
            request.command.join(" "),
            container.name
        ));
        let words: Vec<&str> = request.command.iter().map(String::as_str).collect();
        let fate = Arc::new(Fate::default());
        *fate.size.lock().unwrap() = request.terminal;
        let (input, read) = tokio::io::duplex(1024);
        let (write, mut read_output) = mpsc::channel(8);
        match words.as_slice() {
            ["exit", code] => {
                write.send(Output::Stderr("bye\n".into())).await.unwrap();
                *fate.code.lock().unwrap() = code.parse().ok();
            }
            ["sizes"] => {
                // Says the size of its terminal after each line of its input.
                let of = fate.clone();
                tokio::spawn(async move {
                    let mut lines = BufReader::new(read).lines();
                    while let Ok(Some(line)) = lines.next_line().await {
                        let size = of.size.lock().unwrap().map(|size| (size.columns, size.rows));
                        let said = format!("{line} {size:?}\n");
                        if write.send(Output::Stdout(said.into())).await.is_err() {
                            return;
                        }
                    }
                    *of.code.lock().unwrap() = Some(3);
                });
            }
            ["hang"] => {
                tokio::spawn(async move {
                    write.closed().await;
                });
            }
            _ => {
                return Err(ControlError::Engine {
                    code: "not-running",
                    reason: "the container does not run".to_owned(),
                });
            }
        }
        let output = stream::poll_fn(move |cx| read_output.poll_recv(cx)).map(Ok);
        Ok(ExecSession {
            input: Box::pin(input),
            output: Box::pin(output),
            control: fate,
        })
    }

    async fn put_files(
        &self,
        _: &Instance,
        _: &Container,
        directory: &Path,
        archive: ByteStream,
    ) -> Result<(), ControlError> {
        let pieces: Vec<_> = archive.try_collect().await.expect("an archive");
        let bytes = pieces.concat();
        let name: Vec<u8> = bytes.iter().copied().take_while(|byte| *byte != 0).collect();
        let name = String::from_utf8(name).unwrap();
        self.note(format!("put {name} into {}", directory.display()));
        Ok(())
    }

    async fn logs(&self, _: &Instance, _: &Container, request: &LogRequest) -> Result<OutputStream, ControlError> {
        assert!(request.times);
        let lines = (1..=3).map(|n| format!("2023-11-14T22:13:2{n}.5Z line {n}\n"));
        let skipped = 3 - request.tail.map_or(3, |tail| tail.min(3)) as usize;
        let pieces: Vec<_> = lines
            .skip(skipped)
            .map(|line| Ok(Output::Stdout(line.into())))
            .collect();
        let pieces = stream::iter(pieces);
        Ok(match request.follow {
            true => Box::pin(pieces.chain(stream::pending())),
            false => Box::pin(pieces),
        })
    }

    async fn stats(&self, _: &Instance, _: &Container) -> Result<Stats, ControlError> {
        Ok(Stats {
            cpu: Duration::from_millis(5),
            memory: 4096,
            pids: Some(2),
        })
    }
}

async fn post(daemon: &Daemon, path: &str, body: &Value) -> Answer {
    let headers = "Content-Type: application/json\r\n";
    ask_with(&daemon.unix, "POST", path, headers, body.to_string().as_bytes()).await
}

fn caller() -> Caller {
    Caller {
        peer: Peer::Process { uid: 0, pid: 1 },
        user: Some("root".to_owned()),
        role: Role::Operator,
        granted: None,
    }
}

/// Runs a command, and sends frames to it. Returns what it wrote and how it ended.
async fn run(inside: &Inside, frames: Vec<Frame>) -> (String, String, ExecEnd) {
    let body = stream::iter(frames).map(|frame| Ok(frame.encode()));
    // The request stays open while the command runs.
    let body = Box::pin(body.chain(stream::pending()));
    let path = format!("{PATH}/exec");
    let mut answer = inside.exchange(&caller(), &path, FRAMES, body).await.expect("frames");
    let (mut out, mut err, mut decoder) = (Vec::new(), Vec::new(), FrameDecoder::default());
    while let Some(bytes) = answer.next().await {
        decoder.feed(&bytes.unwrap());
        while let Some(Frame { kind, payload }) = decoder.take().unwrap() {
            match kind {
                FrameKind::Output => out.extend_from_slice(&payload),
                FrameKind::Error => err.extend_from_slice(&payload),
                FrameKind::End => {
                    let text = |bytes| String::from_utf8(bytes).unwrap();
                    return (text(out), text(err), serde_json::from_slice(&payload).unwrap());
                }
                other => panic!("{other:?} in an answer"),
            }
        }
    }
    panic!("no end");
}

fn start(exec: &Value) -> Frame {
    Frame::new(FrameKind::Start, exec.to_string())
}

#[tokio::test]
async fn a_command_ends_with_its_own_exit_code() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    for code in [0, 7, 137] {
        let exec = json!({"command": ["exit", code.to_string()]});
        let (out, err, end) = run(&daemon.inside, vec![start(&exec)]).await;
        assert_eq!((out.as_str(), err.as_str(), end.exit_code), ("", "bye\n", Some(code)));
    }
    // The same without frames in the request, over a socket.
    let answer = post(&daemon, &format!("{PATH}/exec"), &json!({"command": ["exit", "7"]})).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(FRAMES)));
    assert!(answer.body.contains("\"exit_code\":7"), "{answer:?}");
    assert!(
        daemon
            .asked()
            .iter()
            .any(|asked| asked == "exec exit 7 in main by user root")
    );
}

#[tokio::test]
async fn input_and_sizes_reach_a_command_while_it_runs() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    let exec = json!({"command": ["sizes"], "input": true, "terminal": {"columns": 80, "rows": 24}});
    let frames = vec![
        start(&exec),
        Frame::new(FrameKind::Input, "one\n"),
        Frame::new(FrameKind::Input, ""),
    ];
    let (out, _, end) = run(&daemon.inside, frames).await;
    assert_eq!((out.as_str(), end.exit_code), ("one Some((80, 24))\n", Some(3)));
    let frames = vec![
        start(&exec),
        Frame::new(FrameKind::Size, r#"{"columns": 132, "rows": 50}"#),
        Frame::new(FrameKind::Input, "two\n"),
        Frame::new(FrameKind::Input, ""),
    ];
    let (out, ..) = run(&daemon.inside, frames).await;
    assert_eq!(out, "two Some((132, 50))\n");
    // Without input, the command finds its end.
    let (out, _, end) = run(&daemon.inside, vec![start(&json!({"command": ["sizes"]}))]).await;
    assert_eq!((out.as_str(), end.exit_code), ("", Some(3)));
}

#[tokio::test]
async fn files_are_there_before_the_command_and_only_whole() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    let exec = |path: &str, size: u64| json!({"command": ["exit", "0"], "files": [{"path": path, "size": size}]});
    let frames = vec![
        start(&exec("/tmp/a.sh", 4)),
        Frame::new(FrameKind::File, "ab"),
        Frame::new(FrameKind::File, "cd"),
    ];
    let (.., end) = run(&daemon.inside, frames).await;
    assert_eq!(end.exit_code, Some(0));
    assert_eq!(daemon.asked()[..1], ["put a.sh into /tmp"]);
    for (exec, content, status) in [
        (exec("/tmp/a.sh", 1), "ab", 400),
        (exec("../a", 2), "ab", 400),
        (exec("/tmp/a", 1 << 40), "ab", 413),
    ] {
        let frames = stream::iter([start(&exec), Frame::new(FrameKind::File, content)].map(|frame| Ok(frame.encode())));
        let path = format!("{PATH}/exec");
        let refused = daemon.inside.exchange(&caller(), &path, FRAMES, Box::pin(frames)).await;
        assert_eq!(refused.err().expect("a refusal").status, status, "{exec}");
    }
}

#[tokio::test]
async fn a_command_that_cannot_be_run_is_refused_with_the_reason() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    let path = format!("{PATH}/exec");
    for (body, problem) in [
        (json!({"command": []}), (400, "bad-body")),
        (json!({"command": ["a\0b"]}), (400, "bad-body")),
        (json!({"comand": ["a"]}), (400, "bad-body")),
        (
            json!({"command": ["a"], "files": [{"path": "/a", "size": 1}]}),
            (400, "bad-body"),
        ),
        (
            json!({"command": ["exit", "0"], "container": "proxy"}),
            (404, "no-such-container"),
        ),
        (json!({"command": ["nonsense"]}), (409, "not-running")),
    ] {
        let (status, code) = post(&daemon, &path, &body).await.problem();
        assert_eq!((status, code.as_str()), problem, "{body}");
    }
    let other = ask_with(&daemon.unix, "POST", &path, "Content-Type: text/plain\r\n", b"ls").await;
    assert_eq!(other.problem(), (415, "not-json".to_owned()));
    let missing = post(
        &daemon,
        "/v1/instances/ffffffffffff/exec",
        &json!({"command": ["exit", "0"]}),
    )
    .await;
    assert_eq!(missing.problem(), (404, "no-such-instance".to_owned()));
}

#[tokio::test]
async fn a_daemon_that_stops_says_so_to_who_waits_for_a_command() {
    let mut daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    let unix = daemon.unix.clone();
    let body = json!({"command": ["hang"]}).to_string();
    let waiting = tokio::spawn(async move {
        let headers = "Content-Type: application/json\r\n";
        ask_with(&unix, "POST", &format!("{PATH}/exec"), headers, body.as_bytes()).await
    });
    while !daemon.asked().iter().any(|asked| asked.starts_with("exec hang")) {
        tokio::task::yield_now().await;
    }
    daemon.stopped().await;
    let answer = waiting.await.unwrap();
    assert!(answer.body.contains("\"stopping\""), "{answer:?}");
}

/// The lines of a log.
fn lines(answer: &Answer) -> Vec<Value> {
    let (lines, rest) = answer
        .body
        .split_once("event: end\ndata: {}\n")
        .unwrap_or_else(|| panic!("a complete log says that it ends: {answer:?}"));
    assert!(!rest.contains("data: "), "nothing comes behind its end: {answer:?}");
    let data = lines.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|json| serde_json::from_str(json).unwrap()).collect()
}

#[tokio::test]
async fn a_log_is_lines_with_their_times() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    let answer = ask(&daemon.unix, "GET", &format!("{PATH}/log?tail=2")).await;
    let lines = lines(&answer);
    assert_eq!(lines.len(), 2, "{answer:?}");
    assert_eq!(
        lines[0],
        json!({"at": "2023-11-14T22:13:22.500Z", "container": "main", "source": "stdout", "line": "line 2"})
    );
    let (status, code) = ask(&daemon.unix, "GET", &format!("{PATH}/log?tail=x")).await.problem();
    assert_eq!((status, code.as_str()), (400, "bad-parameter"));
    let stats = crate::http::get(&daemon.unix, &format!("{PATH}/stats")).await;
    assert_eq!(
        stats["containers"],
        json!([{"container": "main", "cpu_nanoseconds": 5_000_000, "memory": 4096, "pids": 2}])
    );
}

#[tokio::test]
async fn of_an_instance_that_is_gone_the_timeline_has_the_last_lines() {
    let daemon = Daemon::start().await;
    let gone = daemon.instance(1, [1; 6]).await;
    let at = Timestamp(1_800_000_000_500);
    for detail in ["one\ntwo", "container proxy:\nthree"] {
        let event = NewEvent {
            detail: Some(detail.to_owned()),
            ..gone.event(at, EventKind::InstanceOutput)
        };
        daemon.store.append_event(event).await.unwrap();
    }
    let removed = InstanceUpdate {
        phase: Phase::Removed,
        reason: None,
        attempts: 0,
        due: None,
        references: None,
        ready: None,
        kept_until: None,
        reset: None,
        at,
    };
    assert!(daemon.store.update_instance(gone.id, removed, None).await.unwrap());
    let shown = async |query: &str| {
        let answer = ask(&daemon.unix, "GET", &format!("{PATH}/log{query}")).await;
        let lines = lines(&answer);
        assert!(lines.iter().all(|line| line["source"] == "timeline"), "{answer:?}");
        lines
            .iter()
            .map(|line| line["line"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(shown("").await, ["one", "two", "three"]);
    assert_eq!(shown("?container=proxy").await, ["three"]);
    assert_eq!(shown("?tail=2").await, ["two", "three"]);
    for (method, path, body) in [
        ("POST", "exec", json!({"command": ["exit", "0"]})),
        ("GET", "stats", Value::Null),
    ] {
        let answer = match method {
            "POST" => post(&daemon, &format!("{PATH}/{path}"), &body).await,
            _ => ask(&daemon.unix, "GET", &format!("{PATH}/{path}")).await,
        };
        assert_eq!(answer.problem(), (409, "instance-gone".to_owned()), "{path}");
    }
}
