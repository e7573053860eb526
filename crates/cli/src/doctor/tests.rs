//! The command against a daemon that is none, and without one.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde_json::{Value, json};

use super::{Args, run};
use crate::failure::Failure;
use crate::http::{Client, Endpoint};
use crate::tests::{Canned, http};
use crate::{Cli, Output, Verb, wait_for};

fn args(words: &[&str]) -> Args {
    let words = [
        &["orchestrator", "doctor", "--settings", "/nowhere/settings.toml"],
        words,
    ]
    .concat();
    match Cli::try_parse_from(words).unwrap().verb {
        Verb::Doctor(args) => args,
        other => panic!("{other:?}"),
    }
}

fn code(words: &[&str], client: Client) -> Result<bool, Failure> {
    let code = wait_for(run(&args(words), Output::Json, client))?;
    Ok(code == ExitCode::SUCCESS)
}

fn answer(severity: Option<&str>, failed: Option<&str>) -> Value {
    let finding = |severity: &str| {
        json!({"code": "clock-stepped", "severity": severity, "area": "clock", "what": "a", "means": "b", "mend": "c",
               "fixable": false})
    };
    let done: Vec<Value> = failed.iter().map(|why| json!({"what": "x", "failed": why})).collect();
    let findings: Vec<Value> = severity.into_iter().map(finding).collect();
    json!({"daemon": "running", "findings": findings, "areas": [], "done": done})
}

#[test]
fn only_errors_and_fixes_that_failed_make_it_fail() {
    for (severity, failed, succeeds) in [
        (None, None, true),
        (Some("warning"), None, true),
        (Some("error"), None, false),
        (None, Some("it is busy"), false),
    ] {
        let body = answer(severity, failed);
        let server = Canned::new(move |_| http(200, &body));
        assert_eq!(code(&[], server.client()).unwrap(), succeeds, "{severity:?} {failed:?}");
    }
}

#[test]
fn fix_is_asked_of_the_daemon() {
    let server = Canned::new(|line| match line.starts_with("POST /v1/doctor/fix ") {
        true => http(200, &answer(None, None)),
        false => http(500, &json!("another request")),
    });
    assert!(code(&["--fix"], server.client()).unwrap());
    assert!(code(&[], server.client()).is_err());
}

#[test]
fn a_daemon_that_refuses_is_no_stopped_daemon() {
    let problem = json!({"type": "about:blank", "title": "No", "status": 403, "detail": "why", "code": "not-allowed"});
    let server = Canned::new(move |_| http(403, &problem));
    assert!(
        code(&[], server.client())
            .unwrap_err()
            .to_string()
            .contains("not-allowed")
    );
}

#[tokio::test]
async fn without_a_daemon_and_settings_the_machine_is_examined() {
    let nowhere = Client::new(Endpoint::Unix(PathBuf::from("/nowhere/api.sock")));
    let found = super::examine(&args(&[]), &nowhere).await.unwrap();
    assert_eq!(found.findings[0].code, "daemon-stopped");
    assert!(found.findings[0].what.contains("/nowhere/api.sock"), "{found:?}");
    let seen = |area: &str| found.areas.iter().find(|one| one.area == area).unwrap().seen.clone();
    assert!(seen("engines").contains("the settings cannot be read"), "{found:?}");
    assert!(seen("resources").contains("memory available"), "{found:?}");
}

#[tokio::test]
async fn a_daemon_that_takes_longer_than_the_line_allows_is_told_of_as_with_other_verbs() {
    let directory = std::env::temp_dir().join(format!("doctor-late-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let socket = directory.join("api.sock");
    // Nobody accepts: the question waits.
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let late = Client::new(Endpoint::Unix(socket));
    let fault = run(&args(&["-t", "20ms"]), Output::Json, late).await.unwrap_err();
    std::fs::remove_dir_all(directory).unwrap();
    assert_eq!(fault.to_string(), "it was not done within 20ms");
    assert_eq!(fault.code(), 7);
}
