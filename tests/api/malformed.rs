//! What is not quite HTTP is answered like every other mistake.

use crate::daemon::Daemon;
use crate::http::{Answer, ask, ask_with, send};

fn head(lines: &str) -> String {
    format!("GET /v1/health HTTP/1.1\r\n{lines}Connection: close\r\n\r\n")
}

#[track_caller]
fn is_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.problem(), (status, code.to_owned()));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let length = answer.header("content-length").and_then(|length| length.parse().ok());
    assert_eq!(length, Some(answer.body.len()), "{answer:?}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_a_problem() {
    let daemon = Daemon::start().await;
    let many: String = (0..100).map(|n| format!("X-{n}: x\r\n")).collect();
    let long = format!("X: {}\r\n", "x".repeat(40_000));
    let target = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(70_000));
    for place in [&daemon.unix, &daemon.tcp] {
        for request in [head(&format!("Host: x\r\n{many}")), head(&long), target.clone()] {
            is_problem(&send(place, request.as_bytes()).await, 431, "head-too-large");
        }
    }
}

#[tokio::test]
async fn a_head_that_is_malformed_is_a_problem() {
    let daemon = Daemon::start().await;
    let requests: [&[u8]; 9] = [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"G\xc3\xa9T / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"POST /v1/reservations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1x\r\n\r\n",
        b"POST /v1/reservations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    for place in [&daemon.unix, &daemon.tcp] {
        for request in requests {
            is_problem(&send(place, request).await, 400, "bad-request");
        }
    }
}

#[tokio::test]
async fn a_malformed_head_after_a_good_one_is_a_problem_too() {
    let daemon = Daemon::start().await;
    let good = "GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let both = send(&daemon.unix, format!("{good}nonsense\r\n\r\n").as_bytes()).await;
    assert_eq!(both.status, 200);
    let (health, rest) = both.body.split_at(both.body.find('}').expect("an answer") + 1);
    assert!(health.contains("ok"), "{health}");
    is_problem(&Answer::parse(rest), 400, "bad-request");
}

#[tokio::test]
async fn a_malformed_head_is_told_whatever_was_answered_before() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    let post = "POST /v1/reservations HTTP/1.1\r\nHost: localhost\r\n";
    for (good, status) in [
        ("HEAD /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 200),
        ("HEAD /v1/clients HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 200),
        ("GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 404),
        (
            "DELETE /v1/instances/01 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
            202,
        ),
        (format!("{post}Content-Length: 2\r\n\r\n{{}}"), 400),
        (
            format!("{post}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"),
            400,
        ),
    ] {
        let both = send(&daemon.unix, format!("{good}nonsense\r\n\r\n").as_bytes()).await;
        assert_eq!(both.status, status, "{good}");
        let rest = both.body.find("HTTP/1.1").map(|begin| &both.body[begin..]);
        is_problem(&Answer::parse(rest.unwrap_or_default()), 400, "bad-request");
    }
}

#[tokio::test]
async fn a_malformed_chunk_is_no_large_body() {
    let daemon = Daemon::start().await;
    let post =
        "POST /v1/reservations HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    for chunks in [
        "zz\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}xx0\r\n\r\n",
        "fffffffffffffffff\r\n",
        "2;\n",
    ] {
        let answer = send(&daemon.unix, format!("{post}{chunks}").as_bytes()).await;
        assert_eq!(answer.problem(), (400, "bad-chunk".to_owned()), "{chunks:?}");
    }
}

#[tokio::test]
async fn a_body_in_a_coding_that_nobody_undoes_is_a_problem() {
    let daemon = Daemon::start().await;
    let post = "POST /v1/reservations HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    let coded = format!("{post}Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n");
    let answer = send(&daemon.unix, coded.as_bytes()).await;
    assert_eq!(answer.problem(), (501, "unknown-transfer-coding".to_owned()));
    let plain = format!("{post}Transfer-Encoding: Chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n");
    assert_eq!(send(&daemon.unix, plain.as_bytes()).await.problem().1, "bad-body");
}

#[tokio::test]
async fn a_request_names_one_host() {
    let daemon = Daemon::start().await;
    for place in [&daemon.unix, &daemon.tcp] {
        for hosts in [
            "",
            "Host: localhost\r\nHost: localhost\r\n",
            "Host: localhost\r\nHost: example.org\r\n",
            "Host: a b\r\n",
            "Host: user@localhost\r\n",
            "Host: localhost:port\r\n",
            "Host: \u{e9}\r\n",
        ] {
            let answer = send(place, head(hosts).as_bytes()).await;
            assert_eq!(answer.problem(), (400, "bad-host".to_owned()), "{hosts:?}");
        }
        let differing = "GET http://localhost/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
        let answer = send(place, differing.as_bytes()).await;
        assert_eq!(answer.problem(), (400, "bad-host".to_owned()));
        for target in ["http://localhost", "http://LOCALHOST:80"] {
            let same = format!("GET {target}/v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            assert_eq!(send(place, same.as_bytes()).await.status, 200, "{target}");
        }
    }
    // HTTP/1.0 knows no Host, and an empty one names no host, as on a unix socket there is none.
    let old = send(&daemon.unix, b"GET /v1/health HTTP/1.0\r\n\r\n").await;
    assert_eq!(old.status, 200);
    let empty = ask_with(&daemon.unix, "GET", "/v1/health", "Host: \r\n", b"").await;
    assert_eq!(empty.status, 200);
}

#[tokio::test]
async fn other_forms_of_target_are_problems() {
    let daemon = Daemon::start().await;
    assert_eq!(ask(&daemon.unix, "OPTIONS", "*").await.problem().0, 404);
    let connect = ask(&daemon.unix, "CONNECT", "localhost:80").await;
    assert!((400..500).contains(&connect.problem().0), "{connect:?}");
}
