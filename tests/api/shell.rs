//! Command lines that come by HTTP.

use orchestrator::api::Role;
use orchestrator::api_types::ShellRecord;
use serde_json::json;

use crate::daemon::Daemon;
use crate::http::{Answer, ask_with};
use crate::tokens;

/// What a line printed, what went to its standard error, and its exit code.
pub(crate) fn records(answer: &Answer) -> (String, String, Option<u8>) {
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/x-ndjson")),
        "{answer:?}"
    );
    let (mut output, mut error, mut code) = (String::new(), String::new(), None);
    // The records are in chunks.
    for line in answer.body.lines().filter(|line| line.starts_with('{')) {
        assert_eq!(code, None, "nothing comes behind the exit code");
        let record: ShellRecord = serde_json::from_str(line).unwrap();
        output.push_str(&record.output.unwrap_or_default());
        error.push_str(&record.error.unwrap_or_default());
        code = record.exit_code;
    }
    (output, error, code)
}

pub(crate) async fn run(daemon: &Daemon, line: &str) -> (String, String, Option<u8>) {
    let body = json!({ "line": line }).to_string();
    let headers = "Content-Type: application/json\r\n";
    records(&ask_with(&daemon.unix, "POST", "/v1/shell", headers, body.as_bytes()).await)
}

#[tokio::test]
async fn a_line_runs_as_it_does_outside_with_its_exit_code() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    daemon.instance(2, [2; 6]).await;
    let (output, error, code) = run(&daemon, "grep 'client-*' -o name").await;
    assert_eq!(
        (output.as_str(), error.as_str(), code),
        ("client-1\nclient-2\n", "", Some(0))
    );
    let (_, error, code) = run(&daemon, "exec client-1 -- exit 7").await;
    assert_eq!((error.as_str(), code), ("bye\n", Some(7)));
    let (_, error, code) = run(&daemon, "exec 'client-*' -- exit 0").await;
    assert!(error.contains("2 instances") && code == Some(2), "{error}");
    let (_, error, code) = run(&daemon, "exec 'client-*' --force -- exit 3").await;
    assert!(
        error.contains("client-2: exit code 3") && error.contains("2 of 2 failed"),
        "{error}"
    );
    assert_eq!(code, Some(1));
    let (output, ..) = run(&daemon, "log client-1 -n 1").await;
    assert_eq!(output, "line 3\n");
    let (_, error, code) = run(&daemon, "show nobody").await;
    assert!(
        error.contains("there is no instance or client") && code == Some(3),
        "{error}"
    );
}

#[tokio::test]
async fn a_line_that_is_none_says_so_and_touches_no_machine() {
    let daemon = Daemon::start().await;
    for (line, said) in [
        (
            "backup /tmp/x",
            "`backup` is for the command line only: it reads the database",
        ),
        ("shell", "`shell` is for the command line only"),
        ("nonsense", "unrecognized subcommand 'nonsense'"),
        ("ls 'open", "a quote is not closed"),
        ("ls --api unix:/elsewhere", "unexpected argument '--api'"),
    ] {
        let (_, error, code) = run(&daemon, line).await;
        assert!(error.contains(said) && code == Some(2), "{line}: {error}");
    }
    let (output, _, code) = run(&daemon, "exec --help").await;
    assert!(
        output.contains("Run a command in instances") && code == Some(0),
        "{output}"
    );
    for (headers, body, status) in [
        ("Content-Type: application/json\r\n", r#"{"lines": "ls"}"#, 400),
        ("Content-Type: multipart/form-data\r\n", "x", 400),
        ("Content-Type: text/plain\r\n", "ls", 415),
    ] {
        let refused = ask_with(&daemon.unix, "POST", "/v1/shell", headers, body.as_bytes()).await;
        assert_eq!(refused.problem().0, status, "{headers}");
    }
}

#[tokio::test]
async fn files_are_parts_of_the_request_and_none_is_read_on_the_daemon_s_machine() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    // Larger than any other request may be.
    let script = format!("#!/bin/sh\n{}", "#".repeat(200_000));
    let body = |line: &str| {
        let text = format!(
            "--xyz\nContent-Disposition: form-data; name=\"line\"\n\n{line}\n\
             --xyz\nContent-Disposition: form-data; name=\"file\"; filename=\"a.sh\"\n\n{}\n--xyz--\n",
            script
        );
        text.replace('\n', "\r\n").into_bytes()
    };
    let headers = "Content-Type: multipart/form-data; boundary=xyz\r\n";
    let line = body("exec client-1 --file a.sh:/opt/a.sh -- exit 0");
    let answer = ask_with(&daemon.unix, "POST", "/v1/shell", headers, &line).await;
    assert_eq!(records(&answer).2, Some(0), "{answer:?}");
    assert!(
        daemon.asked().iter().any(|asked| asked == "put a.sh into /opt"),
        "{:?}",
        daemon.asked()
    );
    let line = body("exec client-1 --file /etc/hostname -- exit 0");
    let answer = ask_with(&daemon.unix, "POST", "/v1/shell", headers, &line).await;
    let (_, error, code) = records(&answer);
    assert!(
        error.contains("did not come with the line") && code == Some(1),
        "{error}"
    );
    let service = "name = \"web\"\nimage = \"web\"";
    let line = String::from_utf8(body("deploy web.toml --plan"))
        .unwrap()
        .replace("a.sh", "web.toml")
        .replace(&script.replace('\n', "\r\n"), service);
    let answer = ask_with(&daemon.unix, "POST", "/v1/shell", headers, line.as_bytes()).await;
    let (output, error, code) = records(&answer);
    assert!(output.contains("web") && code == Some(0), "{output}{error}");
    let body = json!({ "line": "deploy - --plan", "input": service }).to_string();
    let headers = "Content-Type: application/json\r\n";
    let answer = ask_with(&daemon.unix, "POST", "/v1/shell", headers, body.as_bytes()).await;
    let (output, error, code) = records(&answer);
    assert!(output.contains("web") && code == Some(0), "{output}{error}");
    let (_, error, code) = run(&daemon, "deploy - --plan").await;
    assert!(error.contains("no standard input came") && code == Some(1), "{error}");
    let much = vec![b'x'; 17 << 20];
    let refused = ask_with(&daemon.unix, "POST", "/v1/shell", headers, &much).await;
    assert_eq!(refused.problem(), (413, "body-too-large".to_owned()));
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("16777216 bytes") && detail.contains("image load FILE") && detail.contains("POST /v1/images"),
        "{detail}"
    );
}

#[tokio::test]
async fn the_documented_signed_line_runs_once_and_no_further_than_its_scope() {
    let daemon = Daemon::start().await;
    let instance = daemon.instance(1, [1; 6]).await;
    let place = crate::tls::show_own_certificate(&daemon).await;
    let scope = ["POST /v1/shell", "/v1/instances"];
    let key = daemon.make("lines", Role::Operator, &scope, true).await;
    let address = crate::tls::address(&daemon);
    let script = tokens::example(include_str!("../../docs/toolkit.md")).replace("orchestrator.example:8999", &address);
    let (ok, said) = tokens::run(&script, place.path(), &key).await;
    assert!(
        ok && said.contains(&instance.id.to_string()) && said.contains("\"exit_code\":0"),
        "{said}"
    );

    let curl = script.find("curl ").expect("it sends by curl");
    // The second time by the same nonce: what it would print is refused before it is run.
    let again = format!("{script}{}", script[curl..].replace("--fail-with-body", ""));
    let (ok, said) = tokens::run(&again, place.path(), &key).await;
    assert!(ok && said.contains("signature-replayed"), "{said}");
    assert_eq!(said.matches("exit_code").count(), 1, "{said}");

    let other = format!(
        "{}body='{{\"line\":\"reset client-1\"}}'\n{}",
        &script[..curl],
        &script[curl..]
    );
    let (ok, said) = tokens::run(&other, place.path(), &key).await;
    assert!(!ok && said.contains("bad-signature"), "{said}");
    let late = script.replace("time=$(date +%s)", "time=$(($(date +%s) - 100))");
    let (ok, said) = tokens::run(&late, place.path(), &key).await;
    assert!(!ok && said.contains("signature-untimely"), "{said}");
    // It is signed, and asks for what the key is not for.
    let beyond = script.replace("ls instances", "ls leases");
    let (ok, said) = tokens::run(&beyond, place.path(), &key).await;
    assert!(
        ok && said.contains("scope") && !said.contains("\"exit_code\":0"),
        "{said}"
    );
}
