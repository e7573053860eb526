//! What lasts, what asks and what takes the terminal over: on a terminal and in a pipe.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::termios::LocalModes;
use serde_json::{Value, json};

use crate::at::AtTerminal;

const ID: &str = "3f9a2c01d2e4";

/// A daemon of two services, whose operations run for three requests.
pub(crate) struct Place {
    directory: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("orchestrator-lasting-{}-{count}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let listener = UnixListener::bind(directory.join("api.sock")).unwrap();
        let asked = Arc::new(AtomicU32::new(0));
        // Ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let asked = asked.clone();
                thread::spawn(move || answer(stream.unwrap(), &asked));
            }
        });
        Self { directory }
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("api.sock")
    }

    pub(crate) fn at_terminal(&self, words: &[&str], controls: bool) -> AtTerminal {
        AtTerminal::start(&self.socket(), words, &self.directory, controls)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.directory).unwrap();
    }
}

fn answer(mut stream: UnixStream, asked: &AtomicU32) {
    let mut request = [0; 4096];
    let length = stream.read(&mut request).unwrap();
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    if path.ends_with("/exec") {
        let _ = stream.write_all(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n");
        // The command runs until nobody is there any more.
        while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
        return;
    }
    let (status, body) = match path {
        "/v1/services" => (200, json!({ "items": [service("web"), service("webs")], "index": 1 })),
        "/v1/services/web" => (200, service("web")),
        "/v1/services/web/bump" => (
            200,
            json!({"name": "web", "generation": 7, "changes": [], "replaces": true, "operation": operation("running")}),
        ),
        "/v1/instances" => (200, json!({"items": [instance()], "next": null})),
        "/v1/clients" => (200, json!({"items": [{"id": "0123456789ab"}], "next": null})),
        "/v1/templates" => (
            200,
            json!({"items": [template("small"), template("s\u{1b}[2J")], "next": null}),
        ),
        "/v1/volumes" => (
            200,
            json!({"items": [{"id": "aabbccddeeff", "name": "home"}], "next": null}),
        ),
        "/v1/images" => (200, json!({"items": [image()]})),
        path if path == format!("/v1/instances/{ID}") => (200, instance()),
        path if path == format!("/v1/operations/{ID}") => {
            let count = asked.fetch_add(1, Ordering::Relaxed);
            // As the daemon: it answers later while nothing happens.
            thread::sleep(std::time::Duration::from_millis(200));
            (200, operation(if count % 4 == 3 { "done" } else { "running" }))
        }
        _ => (404, json!({"title": "Not Found", "code": "not-found", "status": 404})),
    };
    let body = body.to_string();
    let length = body.len();
    let text = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    // The caller may have gone.
    let _ = stream.write_all(text.as_bytes());
}

fn operation(state: &str) -> Value {
    json!({
        "id": ID, "kind": "bump", "service": "web", "version": 3, "generation": 7, "state": state, "detail": null,
        "created": "2023-11-14T22:10:08Z", "ended": null, "by": null
    })
}

fn service(name: &str) -> Value {
    json!({
        "name": name, "generation": 7, "version": 3, "good_version": 2, "instances": 2, "serving": 2, "state": "active",
        "paused": null, "reason": null, "failures": 0, "created": "2023-11-14T22:10:08Z", "changed": "2023-11-14T22:10:08Z",
        "by": null, "spec": {}, "operation": null, "slots": [{
            "number": 2, "version": 3, "state": "wanted", "health": "passing", "instance": null,
            "opened": "2023-11-14T22:10:08Z", "since": "2023-11-14T22:10:08Z", "detail": null
        }]
    })
}

fn image() -> Value {
    json!({
        "engine": "docker", "id": "sha256:12", "names": ["registry.example/web:1", "registry.example/web:2"],
        "digests": [], "size": null, "created": null, "used": null, "templates": []
    })
}

fn template(name: &str) -> Value {
    json!({
        "name": name, "version": 1, "origin": "api", "in_force": true, "spec": { "image": "web" },
        "changed": "2023-11-14T22:10:08Z", "by": null, "used_by": []
    })
}

fn instance() -> Value {
    json!({
        "id": ID, "owner": { "kind": "client", "name": "0123456789ab" }, "slot": "default", "host": "local", "version": 1,
        "containers": [], "attachments": [], "client": "0123456789ab", "duid": null, "hostname": null, "link": "br0",
        "template": "default", "plugin": "docker", "address": "fd39::2:7", "phase": "ready", "reason": null, "attempts": 0,
        "due": null, "spec": { "image": "i", "hostname": "h" }, "link_layer": null, "reference": null,
        "created": "2023-11-14T22:10:08Z", "ready": null, "changed": "2023-11-14T22:10:09Z"
    })
}

#[test]
fn a_terminal_shows_how_far_an_operation_is_and_a_pipe_only_how_it_ended() {
    let place = Place::new();
    let mut at = place.at_terminal(&["bump", "web"], false);
    at.wait_for("web: bump, 1 of 2 of version 3 pass");
    assert_eq!(at.ends(), 0);
    at.wait_for("web: bump of version 3 is done");
    let last = at.seen();
    let last = last.trim_end().rsplit('\r').find(|line| !line.trim().is_empty());
    assert_eq!(
        last.map(str::trim),
        Some("web: bump of version 3 is done"),
        "{:?}",
        at.seen()
    );

    let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
    command.arg("--api").arg(format!("unix:{}", place.socket().display()));
    let output = command.args(["bump", "web"]).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "web: bump of version 3 is done\n"
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "nobody sees how far it is");
}

#[test]
fn ctrl_c_at_a_question_ends_the_line_and_not_the_shell() {
    let place = Place::new();
    let mut at = place.at_terminal(&["shell"], true);
    at.wait_for("orchestrator> ");
    at.types("bump web*\r");
    at.wait_for("bump 2 services: web, webs? [y/N]");
    at.types("\u{3}");
    // The next line is read at once, and no answer to the question.
    at.wait_until("there is a prompt again", || {
        at.seen().matches("orchestrator> ").count() >= 2
    });
    at.types("services we* -o name\r");
    at.wait_for("\nwebs");
    at.types("bump web*\r");
    at.wait_until("it asks again", || at.seen().matches("[y/N]").count() == 2);
    at.types("n\r");
    at.wait_for("nothing was done");
    at.types("exit\r");
    assert_eq!(at.ends(), 1, "the code of the last line");
}

#[test]
fn a_program_that_is_terminated_leaves_the_terminal_as_it_was() {
    let place = Place::new();
    for words in [&["exec", "-it", ID, "sh"][..], &["shell"]] {
        let mut at = place.at_terminal(words, false);
        let before = at.modes();
        at.wait_until("keys come as they are", || !at.modes().contains(LocalModes::ICANON));
        at.terminate();
        assert_eq!(at.ends(), 143, "{words:?}");
        assert_eq!(at.modes(), before, "{words:?}");
        assert!(before.contains(LocalModes::ICANON | LocalModes::ECHO));
    }
}
