//! An API in memory: a service "web" with twelve instances, and a client's one. What was printed, and a person who answers.

use std::io;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use orchestrator_api_types::{Exec, Frame, FrameDecoder, FrameKind, Problem};
use serde_json::{Value, json};

use crate::local::{Local, LocalFile, Nothing, Terminal, Typing};
use crate::{Api, CallError, Channel, Method, Request, Sink, Stream};

/// The id of `web-N`.
pub(super) fn id(number: u32) -> String {
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
pub(super) struct World(pub(super) Arc<Mutex<Vec<String>>>);

impl World {
    pub(super) fn asked(&self, beginning: &str) -> Vec<String> {
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
    async fn open(&self, request: Request, _: &str) -> Result<Stream, CallError> {
        let path = request.path.as_str();
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
        Ok(Box::pin(stream::iter(lines).map(Ok)))
    }

    /// Runs `say TEXT` and `exit N`, where `web-2` always fails with 9. `cat` says what it is given.
    async fn exchange(&self, path: &str, _: &str, mut body: Stream) -> Result<Stream, CallError> {
        let (mut decoder, mut exec, mut given) = (FrameDecoder::default(), Exec::default(), Vec::new());
        while let Some(bytes) = body.next().await {
            decoder.feed(&bytes.unwrap());
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
        Ok(Box::pin(stream::iter(frames).map(Ok)))
    }
}

/// What was printed: output, errors, warnings.
#[derive(Default)]
pub(super) struct Printed {
    pub(super) lines: Vec<String>,
    pub(super) raw: Vec<u8>,
    pub(super) errors: String,
    pub(super) warned: Vec<String>,
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
            Channel::Output | Channel::Terminal | Channel::Bytes => self.raw.extend_from_slice(bytes),
        }
        Ok(())
    }
}

/// Somebody who says yes or no to everything, and has one file.
pub(super) struct Somebody(pub(super) bool);

#[async_trait]
impl Local for Somebody {
    async fn file(&self, _: &str) -> io::Result<LocalFile> {
        Ok(LocalFile {
            content: Bytes::from_static(b"#!/bin/sh\n"),
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
