//! The verbs over what runs, on an API in memory: a service "web" with twelve instances, and a client's one.

use std::io;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use orchestrator_api_types::{Exec, Frame, FrameDecoder, FrameKind, Problem};
use orchestrator_model::Timestamp;
use serde_json::{Value, json};

use crate::local::{Local, LocalFile, Nothing, Terminal, Typing};
use crate::{Api, CallError, Channel, Failure, Line, Method, Request, Session, Sink, Stream};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// The id of `web-N`.
fn id(number: u32) -> String {
    format!("aaaaaaaaaa{number:02}")
}

const LAPTOP: &str = "bbbbbbbbbb01";

fn instance(id: &str, owner: &Value, slot: &str, hostname: Value) -> Value {
    let phase = "ready";
    json!({
        "id": id, "owner": owner, "slot": slot, "client": null, "host": "local", "link": "br0", "template": "t",
        "version": 1, "plugin": "docker", "spec": {"image": "i", "hostname": "h"}, "address": format!("fd39::{id:.4}"),
        "phase": phase, "reason": null, "attempts": 0, "due": null, "reference": null,
        "created": "2023-11-14T22:10:08Z", "ready": null, "changed": "2023-11-14T22:10:08Z", "containers": [],
        "attachments": [{
            "id": "0a0a0a0a0a0a", "instance": id, "container": "main", "network": "br0", "interface": "eth1",
            "address": "fd39::2:7", "prefix_length": 64, "gateway": "fd39::1", "isolated": true,
            "mac": "02:6f:00:02:00:07", "routed": []
        }],
        "duid": null, "hostname": hostname, "link_layer": null
    })
}

/// What was asked, in order.
#[derive(Clone, Default)]
struct World(Arc<Mutex<Vec<String>>>);

impl World {
    fn asked(&self, beginning: &str) -> Vec<String> {
        let all = self.0.lock().unwrap();
        all.iter()
            .filter(|asked| asked.starts_with(beginning))
            .cloned()
            .collect()
    }

    fn instances() -> Vec<Value> {
        let service = json!({"kind": "service", "name": "web"});
        let client = json!({"kind": "client", "name": "cccccccccc01"});
        let mut all: Vec<Value> = (0..12)
            .map(|n| instance(&id(n), &service, &n.to_string(), Value::Null))
            .collect();
        // A client gives itself the name of an instance of a service.
        all.push(instance(LAPTOP, &client, "default", json!("web-1")));
        all
    }
}

fn problem(status: u16, code: &str) -> CallError {
    CallError::Problem(Box::new(Problem {
        status,
        code: code.to_owned(),
        title: "No".to_owned(),
        ..Problem::default()
    }))
}

#[async_trait]
impl Api for World {
    async fn call(&self, request: Request) -> Result<Bytes, CallError> {
        let method = match request.method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        };
        let asked = format!("{method} {}", request.path);
        self.0.lock().unwrap().push(asked.clone());
        if asked == "GET /v1/instances" {
            return Ok(json!({"items": Self::instances(), "next": null}).to_string().into());
        }
        if asked == "GET /v1/instances?all=true" {
            let mut all = Self::instances();
            let service = json!({"kind": "service", "name": "web"});
            // Two that are gone had the same slot.
            for (number, created) in [(77, "2023-11-14T22:00:00Z"), (78, "2023-11-14T22:05:00Z")] {
                let mut gone = instance(&self::id(number), &service, "77", Value::Null);
                gone["phase"] = json!("removed");
                gone["created"] = json!(created);
                all.push(gone);
            }
            return Ok(json!({"items": all, "next": null}).to_string().into());
        }
        let Some(id) = request
            .path
            .strip_prefix("/v1/instances/")
            .map(|rest| &rest[..12.min(rest.len())])
        else {
            return Ok(json!({"items": [], "next": null}).to_string().into());
        };
        let mut found = Self::instances()
            .into_iter()
            .find(|item| item["id"] == id)
            .ok_or(problem(404, "no"))?;
        let was = |what: &str| self.asked(&format!("{what}/v1/instances/{id}")).len();
        if request.path.ends_with("/stats") {
            let measured = was("GET ");
            let stats = json!({
                "id": id, "at": format!("2023-11-14T22:13:2{measured}Z"),
                "containers": [{"container": "main", "cpu_nanoseconds": measured * 500_000_000, "memory": 2048, "pids": 3}]
            });
            return Ok(stats.to_string().into());
        }
        // It takes two looks until something is done.
        let done = was("GET ") > 2;
        if was("DELETE ") > 0 && done {
            found["phase"] = json!("removed");
        }
        if self.asked(&format!("POST /v1/instances/{id}/off")).len() == 1 && done && id != self::id(3) {
            found["phase"] = json!("stopped");
        }
        Ok(found.to_string().into())
    }

    /// `web-1` wrote even seconds, and all others odd ones.
    async fn follow(&self, path: &str) -> Result<Stream, CallError> {
        self.0.lock().unwrap().push(format!("STREAM {path}"));
        let begin = u32::from(!path.contains(&id(1)));
        let line = |second: u32| {
            let line = json!({
                "at": format!("2023-11-14T22:13:{second:02}Z"), "container": "main", "source": "stdout",
                "line": format!("second {second}\u{1b}[2J")
            });
            Bytes::from(format!("data: {line}\n\n"))
        };
        let mut lines: Vec<Bytes> = (0..3).map(|n| line(begin + 2 * n)).collect();
        // The log of `web-5` breaks off.
        if !path.contains(&id(5)) {
            lines.push(Bytes::from_static(b"event: end\ndata: {}\n\n"));
        }
        Ok(Box::pin(stream::iter(lines)))
    }

    /// Runs `say TEXT` and `exit N`, where `web-2` always fails with 9. `cat` says what it is given.
    async fn exchange(&self, path: &str, _: &str, mut body: Stream) -> Result<Stream, CallError> {
        let (mut decoder, mut exec, mut given) = (FrameDecoder::default(), Exec::default(), Vec::new());
        while let Some(bytes) = body.next().await {
            decoder.feed(&bytes);
            while let Some(Frame { kind, payload }) = decoder.take().unwrap() {
                match kind {
                    FrameKind::Start => exec = serde_json::from_slice(&payload).unwrap(),
                    _ => given.extend_from_slice(&payload),
                }
            }
        }
        let words: Vec<&str> = exec.command.iter().map(String::as_str).collect();
        let files: Vec<_> = exec
            .files
            .iter()
            .map(|file| format!("{}={}", file.path, file.size))
            .collect();
        self.0
            .lock()
            .unwrap()
            .push(format!("EXEC {path} {words:?} {files:?} {}", given.len()));
        let frame = |kind, text: String| Frame::new(kind, text).encode();
        let end = |code: i64| frame(FrameKind::End, json!({"exit_code": code, "problem": null}).to_string());
        let frames = match words.as_slice() {
            _ if path.contains(&id(2)) => vec![frame(FrameKind::Error, "broken\n".to_owned()), end(9)],
            ["say", text] => vec![
                frame(FrameKind::Output, text[..2].to_owned()),
                frame(FrameKind::Output, format!("{}\nand more", &text[2..])),
                end(0),
            ],
            ["cat"] => vec![frame(FrameKind::Output, String::from_utf8(given).unwrap()), end(0)],
            ["exit", code] => vec![end(code.parse().unwrap())],
            ["break"] => vec![frame(FrameKind::Output, "half".to_owned())],
            _ => return Err(problem(409, "not-running")),
        };
        Ok(Box::pin(stream::iter(frames)))
    }
}

/// What was printed: output, errors, warnings.
#[derive(Default)]
struct Printed {
    lines: Vec<String>,
    raw: Vec<u8>,
    errors: String,
    warned: Vec<String>,
}

impl Sink for Printed {
    fn print(&mut self, lines: &str) -> io::Result<()> {
        self.lines.extend(lines.lines().map(str::to_owned));
        Ok(())
    }

    fn warn(&mut self, line: &str) {
        self.warned.push(line.to_owned());
    }

    fn write(&mut self, to: Channel, bytes: &[u8]) -> io::Result<()> {
        match to {
            Channel::Error => self.errors.push_str(&String::from_utf8_lossy(bytes)),
            Channel::Output | Channel::Terminal => self.raw.extend_from_slice(bytes),
        }
        Ok(())
    }
}

/// Somebody who says yes or no to everything, and has one file.
struct Somebody(bool);

#[async_trait]
impl Local for Somebody {
    async fn file(&self, _: &str) -> io::Result<LocalFile> {
        Ok(LocalFile {
            content: b"#!/bin/sh\n".to_vec(),
            executable: true,
        })
    }

    async fn confirm(&self, _: &str) -> Option<bool> {
        Some(self.0)
    }

    fn terminal(&self) -> io::Result<Terminal> {
        Nothing.terminal()
    }

    fn input(&self) -> io::Result<Typing> {
        let typed = crate::Typed::Bytes(Bytes::from_static(b"typed"));
        Ok(Box::pin(stream::iter([typed])))
    }
}

async fn run_with(line: &[&str], world: &World, local: &dyn Local) -> (Printed, Result<(), Failure>) {
    let line = Line::parse(line.iter().copied()).unwrap_or_else(|misuse| panic!("{line:?}: {}", misuse.text));
    let mut printed = Printed::default();
    let mut session = Session {
        api: world,
        sink: &mut printed,
        output: line.output,
        now: NOW,
        local,
    };
    let outcome = line.verb.run(&mut session).await;
    (printed, outcome)
}

async fn run(line: &str, world: &World) -> (Printed, Result<(), Failure>) {
    run_with(&line.split(' ').collect::<Vec<_>>(), world, &Nothing).await
}

/// The names of a list.
async fn names(line: &str) -> Vec<String> {
    let (printed, outcome) = run(line, &World::default()).await;
    outcome.unwrap();
    printed.lines
}

#[tokio::test]
async fn patterns_and_numbers_select_instances_in_the_order_of_their_numbers() {
    let twelve: Vec<String> = (0..12).map(|n| format!("web-{n}")).collect();
    assert_eq!(
        names("grep web -o name").await,
        twelve,
        "the name of a service means all of its instances"
    );
    // Two instances of one client differ by their slots. A name with a slot is found by patterns only.
    assert!(names("grep -o name").await.contains(&"web-1-default".to_owned()));
    assert_eq!(names("grep web-3 -o name").await, ["web-3"]);
    assert_eq!(
        names("grep web -i 0 2-4 -o name").await,
        ["web-0", "web-2", "web-3", "web-4"]
    );
    assert_eq!(names("grep {web-5,web-7} -o name").await, ["web-5", "web-7"]);
    let (printed, _) = run("grep web-3", &World::default()).await;
    assert_eq!(
        printed.lines,
        [
            "INSTANCE  OWNER        SLOT  ADDRESS     HOST   STATE",
            "web-3     service web  3     fd39::aaaa  local  ready"
        ]
    );
    for (line, code) in [
        ("grep db-*", 3),
        ("grep web -i 40", 3),
        ("grep web -i 4-2", 2),
        ("grep nobody", 3),
    ] {
        let (_, outcome) = run(line, &World::default()).await;
        assert_eq!(outcome.unwrap_err().code(), code, "{line}");
    }
}

#[tokio::test]
async fn a_client_that_is_named_like_an_instance_of_a_service_gets_no_command_for_it() {
    let world = World::default();
    run("exec web-1 -- exit 0", &world).await.1.unwrap();
    let asked = world.asked("EXEC");
    assert_eq!(asked.len(), 1);
    assert!(asked[0].contains(&id(1)), "{asked:?}");
}

#[tokio::test]
async fn a_command_in_one_instance_is_passed_on_as_it_is_with_its_exit_code() {
    let world = World::default();
    let (printed, outcome) = run("exec web-0 -- say abc", &world).await;
    outcome.unwrap();
    assert_eq!(
        (printed.raw.as_slice(), printed.lines.len()),
        (&b"abc\nand more"[..], 0)
    );
    for code in [7_u8, 1, 137] {
        let (_, outcome) = run(&format!("exec web-0 -- exit {code}"), &world).await;
        let failure = outcome.unwrap_err();
        assert_eq!((failure.code(), failure.is_said()), (code, true));
    }
    let failure = run("exec web-0 -- exit 4096", &world).await.1.unwrap_err();
    assert_eq!(
        failure.code(),
        255,
        "what is no exit code of a system is still a failure"
    );
    // One that breaks off is no success.
    let failure = run("exec web-0 -- break", &world).await.1.unwrap_err();
    assert!(failure.to_string().contains("broke off"), "{failure}");
    let failure = run("exec web-0 -- nonsense", &world).await.1.unwrap_err();
    assert_eq!(failure.code(), 1);
}

#[tokio::test]
async fn a_command_in_many_needs_a_yes_and_has_an_exit_code_for_each() {
    let world = World::default();
    let failure = run("exec web -- exit 0", &world).await.1.unwrap_err();
    assert!(
        failure.to_string().contains("12 instances") && failure.code() == 2,
        "{failure}"
    );
    let line = ["exec", "web", "--", "exit", "0"];
    let refused = run_with(&line, &world, &Somebody(false)).await.1.unwrap_err();
    assert!(matches!(refused, Failure::NotWanted), "{refused}");
    assert!(world.asked("EXEC").is_empty());
    run_with(
        &["exec", "web", "-i", "0", "1", "--", "exit", "0"],
        &world,
        &Somebody(true),
    )
    .await
    .1
    .unwrap();
    assert_eq!(world.asked("EXEC").len(), 2);

    let (mut printed, outcome) = run("exec web --force -- say abc", &world).await;
    printed.lines.sort();
    assert_eq!(printed.lines.len(), 22, "two lines of eleven");
    assert!(
        printed.lines.contains(&"web-0  | abc".to_owned()),
        "{:?}",
        printed.lines
    );
    assert!(
        printed.lines.contains(&"web-11 | and more".to_owned()),
        "{:?}",
        printed.lines
    );
    assert_eq!(printed.errors, "web-2  | broken\n");
    assert_eq!(printed.warned, ["web-2: exit code 9"]);
    let failure = outcome.unwrap_err();
    assert_eq!((failure.to_string().as_str(), failure.code()), ("1 of 12 failed", 1));

    let (printed, outcome) = run("exec web -i 1-2 --yes -o json -- say abc", &world).await;
    assert_eq!(outcome.unwrap_err().code(), 1);
    let outcomes: Value = serde_json::from_str(&printed.lines.join("\n")).unwrap();
    let codes: Vec<_> = outcomes
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["name"], &one["exit_code"]))
        .collect();
    assert_eq!(codes, [(&json!("web-1"), &json!(0)), (&json!("web-2"), &json!(9))]);
    assert_eq!(outcomes[0]["stdout"], "abc\nand more");
}

#[tokio::test]
async fn files_and_input_go_with_a_command_and_a_line_from_elsewhere_has_neither() {
    let world = World::default();
    let line = [
        "exec", "web-0", "--file", "dir/a.sh", "--file", "b:/opt/b", "--", "exit", "0",
    ];
    run_with(&line, &world, &Somebody(true)).await.1.unwrap();
    let asked = world.asked("EXEC");
    assert!(asked[0].contains(r#"["/tmp/a.sh=10", "/opt/b=10"] 20"#), "{asked:?}");
    let (printed, outcome) = run_with(&["exec", "web-0", "--stdin", "--", "cat"], &world, &Somebody(true)).await;
    outcome.unwrap();
    assert_eq!(printed.raw, b"typed");
    for line in [
        "exec web-0 --file a -- exit 0",
        "exec -it web-0 sh",
        "exec --stdin web-0 cat",
    ] {
        let failure = run(line, &world).await.1.unwrap_err();
        assert!(matches!(failure, Failure::Local { .. }), "{line}: {failure}");
    }
    let failure = run_with(&["exec", "--stdin", "web", "cat"], &world, &Somebody(true))
        .await
        .1
        .unwrap_err();
    assert!(
        failure.to_string().contains("one only") && failure.code() == 2,
        "{failure}"
    );
}

#[tokio::test(start_paused = true)]
async fn logs_are_merged_in_the_order_of_time_and_act_on_no_terminal() {
    let world = World::default();
    let bad = '\u{fffd}';
    for line in ["log web-0 web-1", "log -f web-0 web-1"] {
        let (printed, outcome) = run(line, &world).await;
        outcome.unwrap();
        let expected: Vec<String> = (0..6)
            .map(|n| format!("web-{} | second {n}{bad}[2J", (n + 1) % 2))
            .collect();
        assert_eq!(printed.lines, expected, "{line}");
    }
    let (printed, _) = run("log web-1 --since 1m -n 5 -o wide", &world).await;
    assert_eq!(
        printed.lines[0],
        format!("2023-11-14T22:13:00.000Z stdout second 0{bad}[2J")
    );
    let asked = world.asked("STREAM");
    assert!(
        asked
            .last()
            .unwrap()
            .ends_with("/log?since=2023-11-14T22%3A12%3A20.000Z&tail=5"),
        "{asked:?}"
    );
    assert_eq!(run("log web-1 --since soon", &world).await.1.unwrap_err().code(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_breaks_off_fails_and_what_came_is_shown() {
    let world = World::default();
    for line in ["log web-5", "log -f web-5"] {
        let (printed, outcome) = run(line, &world).await;
        let failure = outcome.unwrap_err();
        assert!(
            failure.to_string().contains("web-5 broke off") && failure.code() == 1,
            "{line}: {failure}"
        );
        assert_eq!(printed.lines.len(), 3, "{line}");
    }
    let (printed, outcome) = run("log web-4 web-5", &world).await;
    assert_eq!(outcome.unwrap_err().to_string(), "1 of 2 failed");
    assert_eq!(printed.lines.len(), 6);
    assert!(printed.warned[0].starts_with("web-5: the log"), "{:?}", printed.warned);
}

#[tokio::test(start_paused = true)]
async fn the_last_lines_of_an_instance_that_is_gone_are_found_by_its_name() {
    let world = World::default();
    let (printed, outcome) = run("log web-77", &world).await;
    outcome.unwrap();
    assert_eq!(printed.lines.len(), 3);
    let asked = world.asked("STREAM");
    assert!(asked[0].contains(&id(78)), "the last one of that name: {asked:?}");
    let (_, outcome) = run("exec web-77 -- exit 0", &world).await;
    assert_eq!(outcome.unwrap_err().code(), 3, "nothing runs in what is gone");
    assert_eq!(run("log web-78", &world).await.1.unwrap_err().code(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_switch_waits_until_it_is_done_and_says_what_is_not() {
    let world = World::default();
    let (printed, outcome) = run("off web-0", &world).await;
    outcome.unwrap();
    assert_eq!(printed.lines, ["web-0 is off"]);
    let failure = run("off web-3 -t 3s", &world).await.1.unwrap_err();
    assert_eq!(
        (failure.to_string().as_str(), failure.code()),
        ("web-3 is not there after 3s; it is ready", 7)
    );
    run("off web-3 --no-wait", &world).await.1.unwrap();
    let (printed, outcome) = run("reset {web-4,web-5} --force", &world).await;
    outcome.unwrap();
    assert_eq!(printed.lines, ["web-4 was restarted", "web-5 was restarted"]);
    assert_eq!(
        run("on web-*", &world).await.1.unwrap_err().code(),
        2,
        "more than one needs a yes"
    );
    assert!(world.asked("POST").iter().all(|asked| !asked.ends_with("/on")));
    let (printed, outcome) = run("kill web-6", &world).await;
    outcome.unwrap();
    assert_eq!(printed.lines, ["web-6 is gone"]);
    assert_eq!(world.asked("DELETE").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn use_and_ports_are_shown() {
    let world = World::default();
    let (printed, outcome) = run("poll web-0", &world).await;
    outcome.unwrap();
    assert_eq!(
        printed.lines,
        [
            "INSTANCE  CONTAINER  CPU     MEMORY   PROCESSES",
            "web-0     main       50.0 %  2.0 KiB  3"
        ]
    );
    let (printed, _) = run("port 8080 web-0 -o name", &world).await;
    assert_eq!(printed.lines, [id(0)]);
    let (printed, _) = run("port 8080 web-0", &world).await;
    assert!(printed.lines[1].contains("[fd39::2:7]:8080"), "{:?}", printed.lines);
}

#[tokio::test]
async fn other_verbs_take_patterns_too() {
    let world = World::default();
    assert_eq!(run("rm web-*", &world).await.1.unwrap_err().code(), 2);
    let (printed, outcome) = run("rm {web-1,web-2} --force", &world).await;
    outcome.unwrap();
    assert_eq!(
        printed.lines.len(),
        3,
        "the client's instance has a name that matches, too"
    );
    run("pin web-0", &world).await.1.unwrap();
    assert_eq!(world.asked(&format!("POST /v1/instances/{}/pin", id(0))).len(), 1);
}
