//! What is wrong is said, with a code.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::daemon::Daemon;
use crate::http::{ask, ask_with, send};

#[tokio::test]
async fn every_mistake_has_its_code() {
    let daemon = Daemon::start().await;
    let mistakes = [
        ("GET", "/", 404, "not-found"),
        ("GET", "/v1", 404, "not-found"),
        ("GET", "/v1/clients/", 404, "not-found"),
        ("GET", "/v2/clients", 404, "not-found"),
        ("POST", "/v1/clients", 405, "method-not-allowed"),
        ("DELETE", "/v1/clients/010101010101", 405, "method-not-allowed"),
        ("PUT", "/v1/instances/010101010101", 405, "method-not-allowed"),
        ("GET", "/v1/clients?lnk=br0", 400, "bad-parameter"),
        ("GET", "/v1/clients?link=a&link=b", 400, "bad-parameter"),
        ("GET", "/v1/clients?limit=0", 400, "bad-parameter"),
        ("GET", "/v1/clients?limit=5001", 400, "bad-parameter"),
        ("GET", "/v1/clients?limit=-1", 400, "bad-parameter"),
        ("GET", "/v1/clients?after=nonsense", 400, "bad-cursor"),
        ("GET", "/v1/leases?state=gone", 400, "bad-parameter"),
        ("GET", "/v1/leases?client=xyz", 400, "bad-parameter"),
        ("GET", "/v1/leases?after=nonsense", 400, "bad-cursor"),
        ("GET", "/v1/instances?all=perhaps", 400, "bad-parameter"),
        ("GET", "/v1/instances?phase=Ready", 400, "bad-parameter"),
        ("GET", "/v1/instances?after=1-2", 400, "bad-cursor"),
        ("GET", "/v1/events?after=now", 400, "bad-parameter"),
        ("GET", "/v1/clients/010101010101", 404, "no-such-client"),
        ("GET", "/v1/clients/%2e%2e", 404, "no-such-client"),
        ("GET", "/v1/clients/%ff", 404, "not-found"),
        ("GET", "/v1/instances/010101010101", 404, "no-such-instance"),
        ("GET", "/v1/instances/'%20or%201=1", 404, "no-such-instance"),
        ("DELETE", "/v1/instances/0?force=true", 400, "bad-parameter"),
        ("GET", "/v1/hooks/dnsmasq", 405, "method-not-allowed"),
        ("GET", "/v1/settings/reload", 405, "method-not-allowed"),
        ("POST", "/v1/settings", 405, "method-not-allowed"),
    ];
    for place in [&daemon.unix, &daemon.tcp] {
        for (method, path, status, code) in mistakes {
            let answer = ask(place, method, path).await;
            assert_eq!(answer.problem(), (status, code.to_owned()), "{method} {path}");
        }
    }
    // A mistake in a parameter names what is known.
    let answer = ask(&daemon.unix, "GET", "/v1/clients?lnk=br0").await;
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("lnk") && detail.contains("link"), "{detail}");
    let allowed = ask(&daemon.unix, "PUT", "/v1/instances/010101010101").await;
    assert!(
        allowed.header("allow").is_some_and(|allow| allow.contains("DELETE")),
        "{allowed:?}"
    );
}

/// Collects the codes of all problems below a place of the document.
fn codes(of: &Value, found: &mut BTreeSet<String>) {
    match of {
        Value::Object(keys) => {
            let named = keys.get("x-codes").and_then(Value::as_array).into_iter().flatten();
            found.extend(named.filter_map(Value::as_str).map(str::to_owned));
            keys.values().for_each(|below| codes(below, found));
        }
        Value::Array(all) => all.iter().for_each(|below| codes(below, found)),
        _ => {}
    }
}

#[test]
fn every_code_of_the_document_is_in_the_table_of_problems() {
    let document = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
    let mut found = BTreeSet::new();
    codes(&document, &mut found);
    assert!(found.len() > 60 && found.contains("service-wrong"), "{found:?}");
    let text = include_str!("../../docs/api.md");
    let table = &text[text.find("## Problems").unwrap()..];
    found.retain(|code| !table.contains(&format!("`{code}`")));
    assert!(found.is_empty(), "docs/api.md lacks {found:?}");
}

#[tokio::test]
async fn answers_are_never_kept() {
    let daemon = Daemon::start().await;
    for path in ["/v1/health", "/v1/clients", "/nowhere"] {
        assert_eq!(
            ask(&daemon.unix, "GET", path).await.header("cache-control"),
            Some("no-store")
        );
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_yet_is_said_to_be_away() {
    let daemon = Daemon::start().await;
    daemon.stores.send_replace(None);
    for path in [
        "/v1/clients",
        "/v1/leases",
        "/v1/instances",
        "/v1/instances/0",
        "/v1/events",
    ] {
        let answer = ask(&daemon.unix, "GET", path).await;
        assert_eq!(answer.problem(), (503, "store-away".to_owned()), "{path}");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    assert_eq!(ask(&daemon.unix, "GET", "/v1/health").await.status, 200);
}

#[tokio::test]
async fn a_database_that_went_away_is_said_to_be_away() {
    let daemon = Daemon::start().await;
    daemon.store.close().await;
    for path in ["/v1/clients", "/v1/leases", "/v1/instances/0", "/v1/events"] {
        assert_eq!(
            ask(&daemon.unix, "GET", path).await.problem(),
            (503, "store-away".to_owned()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_body_is_bounded() {
    let daemon = Daemon::start().await;
    let hook = "/v1/hooks/dnsmasq";
    let large = ask_with(&daemon.unix, "POST", hook, "", &vec![b'x'; 70_000]).await;
    assert_eq!(large.problem(), (413, "body-too-large".to_owned()));
    // Nobody reads this one, which is no reason to let it come.
    let unread = ask_with(&daemon.unix, "GET", "/v1/health", "", &vec![b'x'; 70_000]).await;
    assert_eq!(unread.problem(), (413, "body-too-large".to_owned()));
    // Without a length it is only found out by reading.
    let chunk = format!("8000\r\n{}\r\n", "x".repeat(0x8000));
    let chunked = format!(
        "POST {hook} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
        chunk.repeat(3)
    );
    assert_eq!(
        send(&daemon.unix, chunked.as_bytes()).await.problem(),
        (413, "body-too-large".to_owned())
    );
    let nonsense = ask_with(&daemon.unix, "POST", hook, "", b"{\"verb\":").await;
    assert_eq!(nonsense.problem(), (400, "bad-body".to_owned()));
    let empty = ask(&daemon.unix, "POST", hook).await;
    assert_eq!(empty.problem(), (400, "bad-body".to_owned()));
}

#[tokio::test]
async fn a_head_is_bounded() {
    let daemon = Daemon::start().await;
    let padding = |lines: usize, length: usize| -> String {
        (0..lines)
            .map(|n| format!("X-{n}: {}\r\n", "x".repeat(length)))
            .collect()
    };
    assert_eq!(
        ask_with(&daemon.unix, "GET", "/v1/health", &padding(10, 100), b"")
            .await
            .status,
        200
    );
    assert_eq!(
        ask_with(&daemon.unix, "GET", "/v1/health", &padding(100, 10), b"")
            .await
            .status,
        431
    );
    assert_eq!(
        ask_with(&daemon.unix, "GET", "/v1/health", &padding(10, 4000), b"")
            .await
            .status,
        431
    );
}

#[tokio::test]
async fn what_is_not_http_harms_nobody() {
    let daemon = Daemon::start().await;
    for nonsense in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\r\n\0\0\0\r\n\r\n",
    ] {
        assert_eq!(send(&daemon.tcp, nonsense).await.status, 400);
    }
    assert_eq!(ask(&daemon.tcp, "GET", "/v1/health").await.status, 200);
}

/// The words with a hyphen that stand in quotes in this text.
fn words(code: &str) -> impl Iterator<Item = &str> {
    let is_word = |text: &&str| {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        text.contains('-') && text.bytes().all(known)
    };
    code.split('"').filter(is_word)
}

#[test]
fn every_code_is_documented() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let documented = std::fs::read_to_string(root.join("docs/api.md")).unwrap();
    let mut found = 0;
    for entry in std::fs::read_dir(root.join("crates/api/src")).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_file() {
            continue;
        }
        let code = std::fs::read_to_string(&path).unwrap();
        let calls = ["Fault::new(", "Self::new(", "Fault::no_such("];
        for call in calls.iter().flat_map(|call| code.split(call).skip(1)) {
            // A call ends before the statement after it.
            let call = call.split(';').next().unwrap_or_default();
            for word in words(call) {
                found += 1;
                assert!(
                    documented.contains(&format!("`{word}`")),
                    "{word} of {}",
                    path.display()
                );
            }
        }
    }
    assert!(found > 20, "{found} codes");
}
