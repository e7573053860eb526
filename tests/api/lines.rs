//! Every verb of the command line as a line by HTTP: it runs, with the rights of its sender, or says why it cannot.

use std::collections::BTreeSet;

use orchestrator::api::{Answer, Caller, Peer, Role};
use orchestrator::api_types::ShellRecord;
use orchestrator_verbs::{Line, OUTSIDE};
use serde_json::json;

use crate::daemon::Daemon;
use crate::document::operations;
use crate::http::get;
use crate::services::OPERATION;
use crate::shell::run;
use crate::volumes::{BROKEN, VOLUME};

/// What came of a line.
#[derive(Default)]
struct Outcome {
    output: String,
    base64: String,
    error: String,
    code: Option<u8>,
}

/// Sends a line with its standard input.
async fn send(daemon: &Daemon, role: Role, line: &str, input: &str) -> Outcome {
    let caller = Caller {
        peer: Peer::Process { uid: 1000, pid: 7 },
        user: Some("alice".to_owned()),
        role,
        granted: None,
    };
    let body = json!({ "line": line, "input": input }).to_string().into_bytes();
    let answer: Answer = daemon.inside.ask(&caller, "POST", "/v1/shell", body).await;
    let mut outcome = Outcome::default();
    for record in answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let record: ShellRecord = serde_json::from_slice(record).unwrap();
        outcome.output.push_str(&record.output.unwrap_or_default());
        outcome.base64.push_str(&record.base64.unwrap_or_default());
        outcome.error.push_str(&record.error.unwrap_or_default());
        outcome.code = record.exit_code;
    }
    outcome
}

/// Each line ends with 0 in this order, but for the last one.
const LINES: &[&str] = &[
    "ls",
    "services",
    "show client-1",
    "policy client-1",
    "grep 'client-*'",
    "exec client-1 -- exit 0",
    "exec client-1 --stdin -- exit 0",
    "log client-1",
    "poll client-1 --over 1ms",
    "port 80 client-1",
    "pin client-1",
    "unpin client-1",
    "extend client-1 1h",
    "off client-1 --no-wait",
    "on client-1 --no-wait",
    "reset client-1 --no-wait",
    "deploy --resume OPERATION",
    "scale web +1",
    "bump web",
    "rollback web",
    "wait OPERATION",
    "undeploy web",
    "reservation list",
    "key ls client-1",
    "quarantine ls",
    "events",
    "reconfigure client-1",
    "reload",
    "settings",
    "engines",
    "limits",
    "pause",
    "resume",
    "kv put web/a on",
    "token add ci --role viewer",
    "template create small image=web:1",
    "template set small --file -",
    "template update small",
    "template show small",
    "template remove small",
    "volume ls",
    "volume export VOLUME -",
    "volume rm VOLUME",
    "image load -",
    "image pull registry.example/web:1",
    "image ls",
    "image rm registry.example/web:1",
    "image prune",
    "registry login registry.example -u robot",
    "registry ls",
    "registry logout registry.example",
    "tasks",
    "expire client-1",
    "rm client-1",
    "kill client-1 --timeout 1s",
];

/// The standard input of those lines that read it.
fn input(line: &str) -> &'static str {
    match line {
        line if line.starts_with("template") => "image = \"web:2\"\n",
        line if line.starts_with("registry") => "hunter2\n",
        line if line.starts_with("exec") => "typed\n",
        line if line.starts_with("image") => "web:3\n",
        _ => "",
    }
}

async fn prepared() -> Daemon {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    crate::volumes::make(&daemon).await;
    daemon.gate.add_permits(1000);
    daemon
}

/// A verb that is new runs by HTTP, or is in the list of those that are for the command line only.
#[tokio::test]
async fn every_verb_runs_by_http_or_says_why_it_cannot() {
    let daemon = prepared().await;
    let mut failed = Vec::new();
    for line in LINES {
        let words = line.replace("OPERATION", OPERATION).replace("VOLUME", VOLUME);
        let ended = send(&daemon, Role::Admin, &words, input(line)).await;
        // Nothing takes an instance of this daemon away, so that its end is not seen.
        let expected = if line.starts_with("kill") { 7 } else { 0 };
        if ended.code != Some(expected) {
            failed.push(format!("{line}: {:?} {}", ended.code, ended.error));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    let verb = |line: &&str| line.split(' ').next().unwrap_or_default().to_owned();
    let ran: BTreeSet<String> = LINES.iter().map(verb).collect();
    let parser = Line::parser();
    let known: BTreeSet<String> = parser
        .get_subcommands()
        .map(|verb| verb.get_name().to_owned())
        .collect();
    assert_eq!(ran, known, "each verb has a line here");
    for outside in OUTSIDE {
        let (_, error, code) = run(&daemon, outside.verb).await;
        assert!(
            error.contains(outside.reason) && code == Some(2),
            "{}: {error}",
            outside.verb
        );
    }
    let (_, error, code) = run(&daemon, "exec client-1 -it sh").await;
    assert!(error.contains("has no terminal") && code == Some(1), "{error}");
}

/// Lines of administrators, which an operator may send and which then do nothing.
const OF_ADMINS: &[(&str, &str, &str)] = &[
    ("template create small image=web:1", "POST", "/v1/templates"),
    ("template set default image=web:1", "PUT", "/v1/templates/{name}"),
    ("template update default", "POST", "/v1/templates/{name}/update"),
    ("template remove default", "DELETE", "/v1/templates/{name}"),
    ("image load -", "POST", "/v1/images"),
    ("image pull web:1", "POST", "/v1/images/pull"),
    ("image prune", "POST", "/v1/images/prune"),
    ("image rm web:1", "DELETE", "/v1/images"),
    (
        "registry login registry.example -u robot",
        "PUT",
        "/v1/registries/{host}",
    ),
    ("registry logout registry.example", "DELETE", "/v1/registries/{host}"),
    ("token add ci --role admin", "POST", "/v1/tokens"),
    ("token rotate ci", "POST", "/v1/tokens/{name}/rotate"),
    ("token rm ci", "DELETE", "/v1/tokens/{name}"),
    ("rm --orphans 0ddba110ddba", "DELETE", "/v1/orphans/{id}"),
    ("reload", "POST", "/v1/settings/reload"),
];

#[tokio::test]
async fn a_line_has_the_rights_of_its_sender_on_each_route_that_it_uses() {
    let daemon = prepared().await;
    daemon.declare("[template.default]\nimage = \"web:1\"").await;
    let admins: BTreeSet<(String, &str)> = operations()
        .into_iter()
        .filter(|(.., operation)| operation["x-role"] == "admin")
        .map(|(method, path, _)| (method, path))
        .collect();
    // No line mends the machine of the daemon: that is for `orchestrator doctor`.
    let of_no_line = BTreeSet::from([("POST".to_owned(), "/v1/doctor/fix")]);
    let of_lines = OF_ADMINS.iter().map(|(_, method, path)| ((*method).to_owned(), *path));
    assert_eq!(
        of_lines.chain(of_no_line).collect::<BTreeSet<_>>(),
        admins,
        "each route of administrators has a line here"
    );
    for (line, ..) in OF_ADMINS {
        let refused = send(&daemon, Role::Operator, line, input(line)).await;
        assert!(
            refused.error.contains("needs the role admin") && refused.code == Some(1),
            "{line}: {:?} {}",
            refused.code,
            refused.error
        );
    }
    assert!(daemon.asked().is_empty(), "{:?}", daemon.asked());
    assert_eq!(get(&daemon.unix, "/v1/images").await["items"], json!([]));
    assert_eq!(get(&daemon.unix, "/v1/registries").await["items"], json!([]));
    // Reading and exporting is for operators, too.
    let exported = send(&daemon, Role::Operator, &format!("volume export {VOLUME} -"), "").await;
    assert_eq!(exported.code, Some(0), "{}", exported.error);
}

/// Lines of operators, which a viewer may send and which then do nothing.
const OF_OPERATORS: &[&str] = &[
    "kill client-1",
    "rm client-1",
    "exec client-1 -- exit 0",
    "exec client-1 --stdin -- exit 0",
    "off client-1 --no-wait",
    "pin client-1",
    "scale web +1",
    "bump web -v 1.2",
    "undeploy web",
    "pause",
    "reload",
    "kv put web/a on",
    "volume export VOLUME -",
    "image load -",
    "token add ci --role viewer",
];

#[tokio::test]
async fn a_viewer_sends_lines_that_look_and_none_that_change_something() {
    let daemon = prepared().await;
    for line in ["ls", "services", "show client-1", "log client-1", "tasks", "image ls"] {
        let seen = send(&daemon, Role::Viewer, line, "").await;
        assert_eq!(seen.code, Some(0), "{line}: {}", seen.error);
    }
    for line in OF_OPERATORS {
        let refused = send(&daemon, Role::Viewer, &line.replace("VOLUME", VOLUME), "typed\n").await;
        assert!(
            refused.error.contains("needs the role ") && refused.code == Some(1),
            "{line}: {:?} {}",
            refused.code,
            refused.error
        );
    }
    assert!(daemon.asked().is_empty(), "{:?}", daemon.asked());
    let found = send(&daemon, Role::Viewer, "ls -o name", "").await;
    assert_eq!(found.output.lines().count(), 1, "its instance is still there");
}

#[tokio::test]
async fn an_archive_that_breaks_off_ends_the_records_with_the_reason() {
    let daemon = prepared().await;
    crate::volumes::make_broken(&daemon).await;
    let broken = send(&daemon, Role::Admin, &format!("volume export {BROKEN} -"), "").await;
    assert!(
        broken.error.contains("broke off") && broken.error.contains("the disk is broken"),
        "{}",
        broken.error
    );
    assert_eq!(broken.code, Some(1));
    let whole = send(&daemon, Role::Admin, &format!("volume export {VOLUME} -"), "").await;
    assert_eq!((whole.code, whole.output.as_str()), (Some(0), ""));
    // "archive of 010101010101, in two pieces"
    assert_eq!(whole.base64, "YXJjaGl2ZSBvZiAwMTAxMDEwMTAxMDEsIGluIHR3byBwaWVjZXM=");
    let file = send(&daemon, Role::Admin, &format!("volume export {VOLUME} /tmp/x.tar"), "").await;
    assert!(file.error.contains("in place of the file"), "{}", file.error);
    // So does a pull that fails while it is followed. Nothing shows how far it is.
    let pull = send(&daemon, Role::Admin, "image pull registry.example/nowhere", "").await;
    assert!(
        pull.error.contains("image-missing") && pull.code == Some(3),
        "{}",
        pull.error
    );
    let pull = send(&daemon, Role::Admin, "image pull registry.example/web:1", "").await;
    assert!(
        !pull.output.contains("Downloading") && pull.error.is_empty(),
        "{}",
        pull.output
    );
}

#[tokio::test]
async fn a_password_is_no_part_of_any_answer() {
    let daemon = prepared().await;
    let none = send(&daemon, Role::Admin, "registry login registry.example -u robot", "\n").await;
    assert!(none.error.contains("the password is empty"), "{}", none.error);
    for body in [
        &br#"{"line": "ls", "input": ["hunter2"]}"#[..],
        br#"{"line": "ls", "hunter2": 1}"#,
        br#"{"line": "ls", "input": "hunter2""#,
    ] {
        let headers = "Content-Type: application/json\r\n";
        let refused = crate::http::ask_with(&daemon.unix, "POST", "/v1/shell", headers, body).await;
        assert_eq!(refused.problem(), (400, "bad-body".to_owned()));
        assert!(!refused.body.contains("hunter2"), "{}", refused.body);
    }
}

/// The examples of the document with a file, a password and an archive, as they are written there.
#[tokio::test]
async fn the_documented_lines_with_parts_run() {
    let daemon = prepared().await;
    let place = crate::daemon::Directory::new();
    std::fs::write(place.path().join("web.tar"), "web:1\n").unwrap();
    std::fs::write(place.path().join("password"), "hunter2\n").unwrap();
    let text = include_str!("../../docs/toolkit.md");
    let from = text.find("```sh\ncurl ").expect("the examples") + "```sh\n".len();
    let length = text[from..].find("```").expect("their end");
    let orchestrator::settings::Listen::Unix(socket) = &daemon.unix else {
        panic!("it is no unix socket")
    };
    let script = text[from..from + length]
        .replace("/run/orchestrator/api.sock", &socket.display().to_string())
        .replace("3f9a2c01d2e4", VOLUME);
    assert!(script.contains(VOLUME), "{script}");
    let (ok, said) = crate::tokens::run(&script, place.path(), "").await;
    assert!(ok && said.contains("web:1: loaded on engine docker"), "{said}");
    assert!(
        said.contains("the password of robot is sealed") && !said.contains("hunter2"),
        "{said}"
    );
    let archive = std::fs::read_to_string(place.path().join("home.tar")).unwrap();
    assert_eq!(archive, "archive of 010101010101, in two pieces");
    let registries = get(&daemon.unix, "/v1/registries").await;
    assert_eq!(registries["items"][0]["host"], "registry.example");
}
