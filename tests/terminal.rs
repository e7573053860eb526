//! What reaches the terminal of a person who looks at clients: their words, and nothing that acts on it.
//!
//! A daemon lets no such words in. Here a server in its place says them, as one would that is older or broken.

#[path = "terminal/at.rs"]
mod at;
#[path = "terminal/completing.rs"]
mod completing;
#[path = "terminal/copying.rs"]
mod copying;
#[path = "terminal/lasting.rs"]
mod lasting;
#[path = "terminal/laying_out.rs"]
mod laying_out;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use serde_json::{Value, json};

/// Clears the screen, by two kinds of control characters; turns the text around; begins a line; and has no width.
const HOSTILE: &str = "a\u{1b}[2Jb\u{9b}2Jc\u{202e}d\u{2067}e\u{200f}f\rg\nh\u{2028}i\u{feff}j";

const ID: &str = "3f9a2c01d2e4";

/// A server on a socket that is gone when it is.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("orchestrator-terminal-{}-{count}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        // Ends with the process.
        thread::spawn(move || listener.incoming().for_each(|stream| answer(stream.unwrap())));
        Self(path)
    }

    fn run(&self, line: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
        command
            .arg("--api")
            .arg(format!("unix:{}", self.0.display()))
            .args(line.split(' '))
            .env_clear();
        command.output().unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

fn answer(mut stream: UnixStream) {
    let mut request = [0; 4096];
    let length = stream.read(&mut request).unwrap();
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (status, body) = said(path);
    let body = body.to_string();
    let length = body.len();
    let text = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    // The caller may have gone.
    let _ = stream.write_all(text.as_bytes());
}

fn said(path: &str) -> (u16, Value) {
    let list = |item: Value| (200, json!({ "items": [item], "next": null }));
    match path.split('?').next().unwrap_or_default() {
        "/v1/instances" => list(instance()),
        "/v1/clients" => list(client()),
        "/v1/leases" => list(lease()),
        "/v1/events" => list(event()),
        "/v1/reservations" => list(json!({
            "id": ID, "link": HOSTILE, "interface_id": "x", "address": "fd39::7", "prefix": null, "created": null,
            "in_force": true
        })),
        "/v1/clients/3f9a2c01d2e4" => {
            let mut client = client();
            client["leases"] = json!([lease()]);
            client["instance"] = instance();
            client["instances"] = json!([instance()]);
            client["events"] = json!([event()]);
            (200, client)
        }
        _ => (
            409,
            json!({ "title": HOSTILE, "detail": HOSTILE, "code": HOSTILE, "status": 409, "faults": [HOSTILE] }),
        ),
    }
}

fn instance() -> Value {
    json!({
        "id": ID, "owner": { "kind": "client", "name": ID }, "slot": HOSTILE, "host": HOSTILE, "version": 1,
        "containers": [], "attachments": [], "client": ID, "duid": "00:03:00:01:02", "hostname": HOSTILE,
        "link": HOSTILE, "template": HOSTILE,
        "plugin": HOSTILE, "address": "fd39::2:7", "phase": "pending", "reason": HOSTILE, "attempts": 1, "due": null,
        "spec": { "image": HOSTILE, "hostname": HOSTILE }, "link_layer": null, "reference": HOSTILE,
        "created": "2023-11-14T22:10:08Z", "ready": null, "changed": "2023-11-14T22:10:09Z"
    })
}

fn client() -> Value {
    json!({
        "id": ID, "link": HOSTILE, "duid": "00:03:00:01:02", "link_layer": null, "hostname": HOSTILE, "class": HOSTILE,
        "wants_instance": true, "first_seen": "2023-11-14T22:13:10Z", "last_seen": "2023-11-14T22:13:15Z"
    })
}

fn lease() -> Value {
    json!({
        "link": HOSTILE, "address": "fd39::1:7", "client": ID, "duid": "00:03:00:01:02", "iaid": 7,
        "source": "listener", "state": "active", "preferred_until": "2023-11-14T23:13:20Z",
        "valid_until": "2023-11-15T00:13:19Z", "granted": "2023-11-14T22:13:19Z", "changed": "2023-11-14T22:13:19Z"
    })
}

fn event() -> Value {
    json!({
        "id": 7, "at": "2023-11-14T22:10:09Z", "kind": "refused", "link": HOSTILE, "client": ID, "instance": null,
        "address": "fd39::2:7", "detail": HOSTILE
    })
}

/// Fails where anything but letters, marks and line feeds is in what was printed.
fn assert_harmless(line: &str, printed: &[u8]) {
    let text = std::str::from_utf8(printed).unwrap();
    let hostile = text
        .chars()
        .find(|c| *c != '\n' && (c.is_control() || HOSTILE.contains(*c) && !c.is_ascii()));
    assert_eq!(hostile, None, "{line}: {text:?}");
}

#[test]
fn no_word_of_a_client_acts_on_a_terminal() {
    let place = Place::new();
    for line in [
        "ls instances",
        "ls clients",
        "ls leases",
        "show 3f9a2c01d2e4",
        "events",
        "reservation list",
        "settings",
        "reload",
        "rm 3f9a2c01d2e4",
        "reconfigure 3f9a2c01d2e4",
    ] {
        for output in ["table", "wide", "json"] {
            let line = format!("{line} -o {output}");
            let Output { stdout, stderr, .. } = place.run(&line);
            assert!(stdout.len() + stderr.len() > 0, "{line}");
            assert_harmless(&line, &stdout);
            assert_harmless(&line, &stderr);
        }
    }
}

#[test]
fn a_word_makes_no_line_of_its_own_in_a_table() {
    let place = Place::new();
    for noun in ["instances", "clients", "leases"] {
        let Output { status, stdout, .. } = place.run(&format!("ls {noun}"));
        let table = String::from_utf8(stdout).unwrap();
        assert!(status.success() && table.lines().count() == 2, "{table}");
    }
}

#[test]
fn json_says_every_word_as_it_is() {
    let place = Place::new();
    let clients: Value = serde_json::from_slice(&place.run("ls clients -o json").stdout).unwrap();
    assert_eq!(clients[0]["hostname"], HOSTILE);
    let event: Value = serde_json::from_slice(&place.run("events -o json").stdout).unwrap();
    assert_eq!(event["detail"], HOSTILE);
}

#[test]
fn no_word_of_a_client_acts_through_the_log_of_dnsmasq() {
    let place = Place::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
    command
        .args(["hook", "dnsmasq", "add", HOSTILE, "fd39::7", HOSTILE])
        .env_clear();
    command
        .env("DNSMASQ_IAID", "7")
        .env("DNSMASQ_SERVER_DUID", "00:01")
        .env("DNSMASQ_INTERFACE", "br0")
        .env("DNSMASQ_LEASE_EXPIRES", "0");
    let Output { status, stderr, .. } = command.output().unwrap();
    assert!(status.success());
    assert_harmless("hook", &stderr);
    let said = String::from_utf8(stderr).unwrap();
    assert!(said.contains("is lost") && said.lines().count() == 1, "{said}");
    // What the daemon answers is logged by dnsmasq too.
    command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
    command.arg("--api").arg(format!("unix:{}", place.0.display()));
    command
        .args(["hook", "dnsmasq", "add", "00:03:00:01", "fd39::7"])
        .env_clear();
    command
        .env("ORCHESTRATOR_SPOOL", "/dev/null/spool")
        .env("DNSMASQ_IAID", "7")
        .env("DNSMASQ_SERVER_DUID", "00:01")
        .env("DNSMASQ_INTERFACE", "br0")
        .env("DNSMASQ_LEASE_EXPIRES", "0");
    let Output { status, stderr, .. } = command.output().unwrap();
    assert!(status.success() && !stderr.is_empty());
    assert_harmless("hook", &stderr);
}
