//! `-t` of every verb: each has it, and ends when its time is over.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, future, stream};
use serde_json::json;
use tokio::time::Instant;

use crate::tests::{instance, run};
use crate::{Api, CallError, Line, Request, Stream};

/// A daemon that takes requests and never answers.
struct Silent;

#[async_trait]
impl Api for Silent {
    async fn call(&self, _: Request) -> Result<Bytes, CallError> {
        future::pending().await
    }

    async fn open(&self, _: Request, _: &str) -> Result<Stream, CallError> {
        future::pending().await
    }

    async fn exchange(&self, _: &str, _: &str, _: Stream) -> Result<Stream, CallError> {
        future::pending().await
    }
}

/// Whether a verb takes the option: itself, or each verb below it.
fn lacking(verb: &clap::Command, path: &str, lack: &mut Vec<String>) {
    let path = format!("{path} {}", verb.get_name());
    let below: Vec<_> = verb.get_subcommands().filter(|one| one.get_name() != "help").collect();
    for one in &below {
        lacking(one, &path, lack);
    }
    let has_it = verb
        .get_arguments()
        .any(|option| option.get_short() == Some('t') && option.get_long() == Some("timeout"));
    if below.is_empty() && !has_it {
        lack.push(path);
    }
}

#[test]
fn every_verb_takes_the_option() {
    let mut parser = Line::parser();
    parser.build();
    let mut lack = Vec::new();
    for verb in parser.get_subcommands().filter(|verb| verb.get_name() != "help") {
        lacking(verb, "", &mut lack);
    }
    assert!(lack.is_empty(), "{lack:?}");
    for line in ["ls -t soon", "ls -t"] {
        assert!(Line::parse(line.split(' ')).is_err(), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_verb_ends_when_its_time_is_over() {
    for line in [
        "ls -t 10s",
        "ls clients --timeout 10s",
        "grep -t 10s",
        "poll -t 10s",
        "port 80 -t 10s",
        "show web -t 10s",
        "policy web -t 10s",
        "log web -t 10s",
        "log -f web -t 10s",
        "rm web-0 -t 10s",
        "pin web-0 -t 10s",
        "extend web-0 1h -t 10s",
        "events -f -t 10s",
        "kv watch web -t 10s",
        "services -t 10s",
        "reload -t 10s",
        "settings -t 10s",
        "engines -t 10s",
        "limits -t 10s",
        "tasks -t 10s",
        "token ls -t 10s",
        "template ls -t 10s",
        "volume -t 10s ls",
        "image pull web:1 -t 10s",
        "registry ls -t 10s",
        "reconfigure laptop -t 10s",
    ] {
        let began = Instant::now();
        let failure = run(line, &Silent).await.1.expect_err(line);
        assert_eq!(failure.code(), 7, "{line}: {failure}");
        assert_eq!(failure.to_string(), "it was not done within 10s", "{line}");
        assert_eq!(began.elapsed(), Duration::from_secs(10), "{line}");
    }
}

/// A daemon with one instance, whose log has one line and no end.
struct Going;

#[async_trait]
impl Api for Going {
    async fn call(&self, request: Request) -> Result<Bytes, CallError> {
        let one = instance("3f9a2c01d2e4", "ready", None);
        let answer = match request.path.starts_with("/v1/instances/") {
            true => one,
            false => json!({ "items": [one], "next": null }),
        };
        Ok(answer.to_string().into())
    }

    async fn open(&self, _: Request, _: &str) -> Result<Stream, CallError> {
        let line = json!({"at": "2023-11-14T22:10:08Z", "container": "main", "source": "stdout", "line": "hello"});
        let first = stream::iter([Ok(Bytes::from(format!("data: {line}\n\n")))]);
        // A sign of life every second, so that it is not silent.
        let more = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok(Bytes::from_static(b": alive\n\n")), ()))
        });
        Ok(first.chain(more).boxed())
    }

    async fn exchange(&self, _: &str, _: &str, _: Stream) -> Result<Stream, CallError> {
        future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_log_had_until_its_time_was_over_is_shown() {
    for line in ["log 3f9a2c01d2e4 -f -t 10s", "log 3f9a2c01d2e4 -t 10s"] {
        let began = Instant::now();
        let (printed, outcome) = run(line, &Going).await;
        let failure = outcome.expect_err(line);
        assert_eq!(
            (failure.code(), printed.lines.as_slice()),
            (7, &["hello".to_owned()][..]),
            "{line}: {failure}"
        );
        assert_eq!(began.elapsed(), Duration::from_secs(10), "{line}");
    }
    let failure = run("exec 3f9a2c01d2e4 -t 10s -- sleep 60", &Going).await.1.unwrap_err();
    assert_eq!(failure.code(), 7, "{failure}");
    let failure = run("kill 3f9a2c01d2e4 -t 10s", &Going).await.1.unwrap_err();
    assert!(
        failure.code() == 7 && failure.to_string().contains("it is ready"),
        "{failure}"
    );
}
