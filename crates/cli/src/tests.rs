//! Output for people, and behaviour when the daemon does not answer as it should.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use clap::CommandFactory;
use serde_json::{Value, json};

use orchestrator_verbs::{Api, Method, OUTSIDE, Request};

use super::failure::Failure;
use super::http::{Client, Endpoint};
use super::*;

#[test]
fn findings_as_a_table() {
    let findings = [
        check::Finding::there("settings", "/etc/orchestrator/settings.toml"),
        check::Finding::missing("link br0", "make bridge br0, or set create = true"),
    ];
    assert_eq!(
        check::render(&findings),
        "\
WHAT      IS       DETAIL
settings  there    /etc/orchestrator/settings.toml
link br0  missing  make bridge br0, or set create = true"
    );
}

#[test]
fn the_arguments_are_consistent() {
    Cli::command().debug_assert();
}

/// A verb that is new is one of a line, which runs by HTTP, or it is in the list of the others with its reason.
#[test]
fn every_verb_is_one_of_a_line_or_has_a_reason_why_not() {
    let names = |command: &clap::Command| -> BTreeSet<String> {
        let names = command.get_subcommands().map(|verb| verb.get_name().to_owned());
        names.collect()
    };
    let of_lines = names(&orchestrator_verbs::Line::parser());
    let outside: BTreeSet<String> = OUTSIDE.iter().map(|outside| outside.verb.to_owned()).collect();
    assert_eq!(outside.len(), OUTSIDE.len(), "each has one reason");
    assert!(of_lines.is_disjoint(&outside));
    assert_eq!(names(&Cli::command()), of_lines.union(&outside).cloned().collect());
    for verb in &outside {
        let page = include_str!("../../../docs/toolkit.md");
        assert!(page.contains(&format!("`{verb}`")), "docs/toolkit.md names {verb}");
    }
}

#[test]
fn endpoints_are_read_and_shown() {
    for (text, shown) in [
        ("unix:/run/a.sock", "unix:/run/a.sock"),
        ("unix:///run/a.sock", "unix:/run/a.sock"),
        ("http://[::1]:8998/", "http://[::1]:8998"),
        ("http://localhost:1", "http://localhost:1"),
        ("https://host.example:8999/", "https://host.example:8999"),
    ] {
        assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), shown);
    }
    for text in [
        "",
        "/run/a.sock",
        "unix:a",
        "http://[::1]",
        "https://[::1]",
        "https://:1",
        "ftp://[::1]:1",
        "http://:1",
        "http://a:99999",
    ] {
        assert!(text.parse::<Endpoint>().is_err(), "{text}");
    }
}

#[test]
fn the_hook_takes_what_dnsmasq_says_as_it_is() {
    let words = [
        "orchestrator",
        "hook",
        "dnsmasq",
        "--spool",
        "/s",
        "add",
        "00:01",
        "fd39::7",
        "--output",
    ];
    let cli = Cli::try_parse_from(words).unwrap();
    assert!(matches!(cli.verb, Verb::Hook(_)));
    let os = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    assert!(hook::after_verb(&os(&["orchestrator", "hook", "--nonsense"])).is_some());
    assert!(hook::after_verb(&os(&["orchestrator", "ls", "hook"])).is_none());
}

/// A server that gives the same answer to every request. Its socket is removed when this is dropped.
pub(crate) struct Canned(PathBuf);

impl Canned {
    pub(crate) fn new(answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("orchestrator-cli-{}-{count}.sock", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        // Ends with the process: a thread that waits for connections holds nothing that outlives it.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).unwrap();
                let line = String::from_utf8_lossy(&request[..length])
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                let answer = answer(&line);
                if answer.is_empty() {
                    // Holds the connection open and says nothing.
                    std::mem::forget(stream);
                } else {
                    // The client hangs up when it has read enough.
                    let _ = stream.write_all(answer.as_bytes());
                }
            }
        });
        Self(path)
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(Endpoint::Unix(self.0.clone()))
    }
}

impl Drop for Canned {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

pub(crate) fn http(status: u16, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn get(server: &Canned) -> Result<bytes::Bytes, Failure> {
    wait_for(ask(server.client(), "/v1/instances"))
}

/// The answer that a verb gets.
async fn ask(client: Client, path: &str) -> Result<bytes::Bytes, Failure> {
    let request = Request {
        method: Method::Get,
        path: path.to_owned(),
        body: Vec::new(),
    };
    let answer = client.call(request).await;
    answer.map_err(|error| orchestrator_verbs::Failure::from(error).into())
}

#[test]
fn problems_have_their_exit_codes() {
    for (status, code) in [(404, 3), (409, 1), (500, 1), (503, 1)] {
        let problem = json!({"type": "about:blank", "title": "No", "status": status, "detail": "why", "code": "no"});
        let failure = get(&Canned::new(move |_| http(status, &problem))).unwrap_err();
        assert_eq!((failure.to_string().as_str(), failure.code()), ("No: why (no)", code));
    }
    let failure = get(&Canned::new(|_| http(502, &json!("proxy")))).unwrap_err();
    assert_eq!(failure.to_string(), "the answer was HTTP 502");
}

#[test]
fn a_daemon_that_is_not_there_is_told_what_to_do_about() {
    let nowhere = Client::new("unix:/nowhere/api.sock".parse().unwrap());
    let failure = wait_for(ask(nowhere, "/v1/instances")).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "no daemon answers at unix:/nowhere/api.sock; start it with `orchestrator serve`, \
         ask `systemctl status orchestrator`, or say with --api or ORCHESTRATOR_API where it listens"
    );
    assert_eq!(failure.code(), 4);
}

#[test]
fn a_daemon_that_hangs_is_not_waited_for() {
    let server = Canned::new(|_| String::new());
    let client = server.client().with_limit(Duration::from_millis(50));
    let failure = wait_for(ask(client, "/v1/instances")).unwrap_err();
    assert!(failure.to_string().contains("did not answer within 50 ms"), "{failure}");
    assert_eq!(failure.code(), 4);
}

#[tokio::test(start_paused = true)]
async fn verbs_give_the_daemon_ten_seconds() {
    let server = Canned::new(|_| String::new());
    let begin = tokio::time::Instant::now();
    let failure = ask(server.client(), "/v1/instances").await.unwrap_err();
    assert!(
        failure.to_string().contains("did not answer within 10000 ms"),
        "{failure}"
    );
    assert_eq!(failure.code(), 4);
    assert_eq!(begin.elapsed().as_secs(), 10);
}

#[test]
fn an_answer_that_is_too_large_is_not_read() {
    // What it says of its length decides; nobody waits for so much.
    let server = Canned::new(|_| "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{".to_owned());
    let failure = get(&server).unwrap_err();
    assert!(failure.to_string().contains("more than 64 MiB"), "{failure}");
    // One that keeps its length to itself is given up while it comes.
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(1 << 20));
    let server = Canned::new(move |_| {
        format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}",
            chunk.repeat(65)
        )
    });
    let client = server.client().with_limit(Duration::from_secs(60));
    let failure = wait_for(ask(client, "/v1/leases")).unwrap_err();
    assert!(failure.to_string().contains("more than 64 MiB"), "{failure}");
}

#[test]
fn an_answer_that_is_none_fails() {
    for answer in [
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{",
    ] {
        let server = Canned::new(move |_| answer.to_owned());
        let failure = get(&server).unwrap_err();
        assert!(failure.to_string().contains("broke off"), "{failure}");
        assert_eq!(failure.code(), 1);
    }
}
