//! Callers that prove who they are by a token or a signature.

use std::process::Stdio;
use std::time::Duration;

use orchestrator::api::Role;
use orchestrator::model::{EventKind, Timestamp};
use orchestrator::secrets::{NewToken, Scope};
use orchestrator::store::EventFilter;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::daemon::Daemon;
use crate::document::operations;
use crate::http::{Answer, PATIENCE, ask_with, connect};

impl Daemon {
    /// A token of this role, for these paths, or for all if there are none.
    pub(crate) async fn token(&self, name: &str, role: Role, scope: &[&str]) -> String {
        self.make(name, role, scope, false).await
    }

    pub(crate) async fn make(&self, name: &str, role: Role, scope: &[&str], signs: bool) -> String {
        let new = NewToken {
            name: name.to_owned(),
            role,
            scope: Scope::parse(scope.iter().copied()).expect("a scope"),
            signs,
            until: None,
        };
        let (_, token) = self.tokens.add(new, None, Timestamp::wall()).await.expect("a token");
        token.expose_text().expect("text").to_owned()
    }

    /// Asks on loopback, where everybody may do everything, with a token.
    async fn ask_by(&self, token: &str, method: &str, path: &str, body: &str) -> Answer {
        let headers = format!("Authorization: Bearer {token}\r\n");
        ask_with(&self.tcp, method, path, &headers, body.as_bytes()).await
    }
}

/// A path with something in place of its names.
fn filled(path: &str) -> String {
    let parts = path
        .split('/')
        .map(|part| if part.starts_with('{') { "010101010101" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_needs_the_role_and_the_scope_of_the_token() {
    let daemon = Daemon::start().await;
    let mut tokens = Vec::new();
    for role in Role::ALL {
        tokens.push((role, daemon.token(role.word(), role, &[]).await));
    }
    let elsewhere = daemon.token("elsewhere", Role::Admin, &["/v1/nowhere"]).await;
    let mut refused = 0;
    for (method, path, operation) in operations() {
        let needed: Role = operation["x-role"]
            .as_str()
            .unwrap()
            .parse()
            .expect("every route has a role");
        let path = filled(path);
        let answer = daemon.ask_by(&elsewhere, &method, &path, "").await;
        let unix_only = answer.status == 403 && answer.problem().1 == "unix-socket-only";
        if unix_only {
            continue;
        }
        assert_eq!(answer.problem(), (403, "out-of-scope".to_owned()), "{method} {path}");
        for (role, token) in tokens.iter().filter(|(role, _)| !role.includes(needed)) {
            let answer = daemon.ask_by(token, &method, &path, "").await;
            assert_eq!(
                answer.problem(),
                (403, "not-allowed".to_owned()),
                "{method} {path} by {role}"
            );
            refused += 1;
        }
        let answer = daemon.ask_by("orct_010101010101_ab", &method, &path, "").await;
        assert_eq!(answer.problem(), (401, "token-unknown".to_owned()), "{method} {path}");
        assert!(
            answer
                .header("www-authenticate")
                .is_some_and(|how| how.contains("Bearer"))
        );
    }
    assert!(refused > 60, "{refused}");
    assert!(daemon.asked().is_empty(), "{:?}", daemon.asked());
}

#[tokio::test]
async fn each_role_may_do_what_it_is_for_and_the_timeline_has_the_token() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    let (viewer, operator) = (
        daemon.token("looks", Role::Viewer, &[]).await,
        daemon.token("works", Role::Operator, &["DELETE /v1/instances"]).await,
    );
    assert_eq!(daemon.ask_by(&viewer, "GET", "/v1/instances", "").await.status, 200);
    let gone = daemon
        .ask_by(&operator, "DELETE", "/v1/instances/010101010101", "")
        .await;
    assert_eq!(gone.status, 202, "{gone:?}");
    let reads = daemon.ask_by(&operator, "GET", "/v1/instances", "").await;
    assert_eq!(reads.problem(), (403, "out-of-scope".to_owned()));
    let events = daemon.store.events(EventFilter::default()).await.unwrap().items;
    let destroyed = events.iter().find(|event| event.kind == EventKind::InstanceDestroyed);
    assert_eq!(destroyed.unwrap().by.as_deref(), Some("token works"));
    let used = daemon
        .tokens
        .list()
        .into_iter()
        .map(|token| (token.name, token.used.is_some()));
    assert_eq!(
        used.collect::<Vec<_>>(),
        [("looks".to_owned(), true), ("works".to_owned(), true)]
    );
}

#[tokio::test]
async fn tokens_are_made_shown_once_rotated_and_removed_by_admins() {
    let daemon = Daemon::start().await;
    let admin = daemon.token("admin", Role::Admin, &[]).await;
    let body = json!({"name": "ci", "role": "viewer", "scope": ["GET /v1/tokens"], "expires": "30d"}).to_string();
    let made = daemon.ask_by(&admin, "POST", "/v1/tokens", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let first = made.json()["secret"].as_str().unwrap().to_owned();
    let listed = daemon.ask_by(&first, "GET", "/v1/tokens", "").await;
    assert_eq!(listed.json()["items"][1]["name"], "ci");
    assert_eq!(listed.json()["items"][1]["by"], "token admin");
    assert!(!listed.body.contains(&first[18..]), "{listed:?}");
    let again = daemon.ask_by(&admin, "POST", "/v1/tokens", &body).await;
    assert_eq!(again.problem(), (409, "token-exists".to_owned()));

    let rotated = daemon
        .ask_by(&admin, "POST", "/v1/tokens/ci/rotate", r#"{"overlap":"1h"}"#)
        .await;
    let second = rotated.json()["secret"].as_str().unwrap().to_owned();
    for token in [&first, &second] {
        assert_eq!(daemon.ask_by(token, "GET", "/v1/tokens", "").await.status, 200);
    }
    let rotated = daemon
        .ask_by(&admin, "POST", "/v1/tokens/ci/rotate", r#"{"overlap":"0s"}"#)
        .await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    for token in [&first, &second] {
        let refused = daemon.ask_by(token, "GET", "/v1/tokens", "").await;
        assert_eq!(refused.problem(), (401, "token-unknown".to_owned()));
    }
    assert_eq!(daemon.ask_by(&admin, "DELETE", "/v1/tokens/ci", "").await.status, 200);
    let gone = daemon.ask_by(&admin, "DELETE", "/v1/tokens/ci", "").await;
    assert_eq!(gone.problem(), (404, "no-such-token".to_owned()));
    for (body, code) in [
        (r#"{"name":"A","role":"viewer"}"#, "bad-name"),
        (r#"{"name":"a","role":"viewer","scope":["v1"]}"#, "bad-scope"),
        (r#"{"name":"a","role":"viewer","expires":"1s"}"#, "bad-duration"),
    ] {
        let refused = daemon.ask_by(&admin, "POST", "/v1/tokens", body).await;
        assert_eq!(refused.problem(), (422, code.to_owned()));
    }
}

#[tokio::test]
async fn a_stream_ends_when_its_token_is_removed() {
    let daemon = Daemon::start().await;
    let token = daemon.token("reader", Role::Viewer, &[]).await;
    let mut wire = connect(&daemon.tcp).await;
    let request = format!(
        "GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nConnection: close\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    );
    wire.write_all(request.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    while !text.windows(4).any(|end| end == b"\r\n\r\n") {
        assert!(wire.read_buf(&mut text).await.unwrap() > 0);
    }
    assert!(text.starts_with(b"HTTP/1.1 200"));
    daemon.tokens.remove("reader", None, Timestamp::wall()).await.unwrap();
    let ended = tokio::time::timeout(PATIENCE, wire.read_to_end(&mut text)).await;
    ended.expect("the stream ends").unwrap();
}

/// The example of a signed request in a document, as it is written there.
pub(crate) fn example(text: &str) -> String {
    let from = text.find("```sh\nid=").expect("the example of a signed request") + "```sh\n".len();
    let length = text[from..].find("```").expect("its end");
    text[from..from + length].to_owned()
}

/// Runs a script in a directory.
pub(crate) async fn run(script: &str, place: &std::path::Path, key: &str) -> (bool, String) {
    let output = Command::new("sh")
        .args(["-euc", script])
        .current_dir(place)
        .env("KEY", key)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, output)
        .await
        .expect("it ends")
        .expect("sh runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn the_documented_signed_request_works_once() {
    let daemon = Daemon::start().await;
    let place = crate::tls::show_own_certificate(&daemon).await;
    let key = daemon.make("hooks", Role::Operator, &["POST /v1/pause"], true).await;
    let address = crate::tls::address(&daemon);
    let script = example(include_str!("../../docs/api-access.md")).replace("orchestrator.example:8999", &address);
    // The same request is sent twice: its head and its body are not changed by anything.
    let twice = format!(
        "{script}\ncurl --silent --cacert ca.pem --request \"$method\" \"https://{address}$path\" \
        --header 'Content-Type: application/json' \
        --header \"Authorization: HMAC token=$id, time=$time, nonce=$nonce, signature=$signature\" --data-binary \"$body\""
    );
    let (ok, said) = run(&twice, place.path(), &key).await;
    assert!(ok && said.contains("\"paused\""), "{said}");
    assert!(said.contains("signature-replayed"), "{said}");
    assert_eq!(daemon.asked(), ["pause by token hooks"]);

    let wrong = script
        .replace("body='", "body=' ")
        .replace("digest=$(printf %s \"$body\"", "digest=$(printf x");
    let (ok, said) = run(&wrong, place.path(), &key).await;
    assert!(!ok && said.contains("bad-signature"), "{said}");
    let (ok, said) = run(&script.replace("/v1/pause", "/v1/resume"), place.path(), &key).await;
    assert!(!ok && said.contains("out-of-scope"), "{said}");
    let late = script.replace("time=$(date +%s)", "time=$(($(date +%s) - 100))");
    let (ok, said) = run(&late, place.path(), &key).await;
    assert!(!ok && said.contains("signature-untimely"), "{said}");
    // It is a key, and is never sent.
    let sent = daemon.ask_by(&key, "POST", "/v1/pause", "{}").await;
    assert_eq!(sent.problem(), (401, "token-only-signs".to_owned()));
    assert_eq!(daemon.asked(), ["pause by token hooks"]);
}

#[tokio::test]
async fn whatever_else_is_in_the_header_is_refused() {
    let daemon = Daemon::start().await;
    for header in [
        "Authorization: Basic YTpi\r\n",
        "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
    ] {
        let answer = ask_with(&daemon.unix, "GET", "/v1/health", header, b"").await;
        assert_eq!(answer.problem(), (401, "bad-authorization".to_owned()));
    }
    let signed = "Authorization: HMAC token=010101010101, time=1, nonce=0123456789abcdef, signature=00\r\n";
    let answer = ask_with(&daemon.unix, "GET", "/v1/health", signed, b"").await;
    assert_eq!(answer.problem(), (401, "token-unknown".to_owned()));
    let answer = ask_with(&daemon.unix, "POST", "/v1/images", signed, b"x").await;
    assert_eq!(answer.problem(), (401, "cannot-be-signed".to_owned()));
}

/// Uses are counted in memory, and recorded together.
#[tokio::test]
async fn a_request_writes_nothing_for_its_token() {
    let daemon = Daemon::start().await;
    let token = daemon.token("reader", Role::Viewer, &[]).await;
    for _ in 0..20 {
        assert_eq!(daemon.ask_by(&token, "GET", "/v1/health", "").await.status, 200);
    }
    assert_eq!(daemon.store.tokens().await.unwrap()[0].used, None);
    daemon.tokens.refresh().await.unwrap();
    let used = daemon.store.tokens().await.unwrap()[0].used.expect("it is recorded");
    assert!(used.plus(Duration::from_secs(3600)) > Timestamp::wall());
}
