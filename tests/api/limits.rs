//! Strangers who send slowly, read slowly, or come in crowds.

use std::time::Duration;

use orchestrator::api::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::daemon::Daemon;
use crate::http::{PATIENCE, ask, connect};

fn short() -> Limits {
    Limits {
        head: Duration::from_millis(200),
        stall: Duration::from_millis(200),
        ..Limits::default()
    }
}

/// Reads until the other end closes.
async fn closed(wire: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut text = Vec::new();
    tokio::time::timeout(PATIENCE, wire.read_to_end(&mut text))
        .await
        .expect("the connection is closed")
        .ok();
    text
}

#[tokio::test]
async fn who_sends_no_request_is_sent_away() {
    let daemon = Daemon::with_limits(short()).await;
    let mut silent = connect(&daemon.tcp).await;
    let mut slow = connect(&daemon.tcp).await;
    slow.write_all(b"GET /v1/health HT").await.unwrap();
    closed(&mut silent).await;
    assert!(!closed(&mut slow).await.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn who_keeps_a_connection_for_nothing_is_sent_away() {
    let daemon = Daemon::with_limits(short()).await;
    let mut wire = connect(&daemon.tcp).await;
    wire.write_all(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    assert!(closed(&mut wire).await.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn who_does_not_read_is_sent_away() {
    let daemon = Daemon::with_limits(Limits {
        connections: 1,
        ..short()
    })
    .await;
    daemon.clients(5000).await;
    let mut wire = connect(&daemon.unix).await;
    wire.write_all(b"GET /v1/leases?limit=5000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut status = [0; 12];
    wire.read_exact(&mut status).await.unwrap();
    // There is one place only: the next one is answered when the first has been given up.
    let next = async {
        while ask(&daemon.unix, "GET", "/v1/clients?limit=1").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, next)
        .await
        .expect("a place becomes free");
    let read = closed(&mut wire).await;
    assert!(
        status.starts_with(b"HTTP/1.1 200") && !read.ends_with(b"]}"),
        "it was not given up"
    );
}

#[tokio::test]
async fn a_crowd_on_one_listener_leaves_the_other_free_and_passes() {
    let daemon = Daemon::with_limits(Limits {
        connections: 3,
        head: Duration::from_secs(2),
        ..Limits::default()
    })
    .await;
    let mut crowd = Vec::new();
    for _ in 0..20 {
        crowd.push(connect(&daemon.tcp).await);
    }
    assert_eq!(ask(&daemon.unix, "GET", "/v1/health").await.status, 200);
    drop(crowd);
    assert_eq!(ask(&daemon.tcp, "GET", "/v1/health").await.status, 200);
}

#[tokio::test]
async fn requests_take_turns_on_each_listener() {
    let daemon = Daemon::with_limits(Limits {
        requests: 1,
        ..Limits::default()
    })
    .await;
    daemon.instance(1, [1; 6]).await;
    daemon.gate.forget_permits(usize::MAX);
    let first = tokio::spawn({
        let place = daemon.tcp.clone();
        async move { ask(&place, "DELETE", "/v1/instances/010101010101").await.status }
    });
    tokio::time::timeout(PATIENCE, daemon.arrived.notified())
        .await
        .expect("the request arrives");
    let mut second = connect(&daemon.tcp).await;
    second
        .write_all(b"GET /v1/clients HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(ask(&daemon.unix, "GET", "/v1/clients").await.status, 200);
    // Whether the daemon is well is answered out of turn.
    assert_eq!(ask(&daemon.tcp, "GET", "/v1/health").await.status, 200);
    assert_eq!(ask(&daemon.tcp, "GET", "/v1/ready").await.status, 200);
    let mut buffer = [0; 1];
    let early = tokio::time::timeout(Duration::from_millis(100), second.read(&mut buffer)).await;
    assert!(early.is_err(), "answered out of turn");
    daemon.gate.add_permits(1);
    assert_eq!(first.await.unwrap(), 202);
    assert!(closed(&mut second).await.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_connection_carries_one_request_after_the_other() {
    let daemon = Daemon::start().await;
    let mut wire = connect(&daemon.unix).await;
    for _ in 0..3 {
        wire.write_all(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        while !answer.ends_with('}') {
            let mut buffer = [0; 1024];
            let length = tokio::time::timeout(PATIENCE, wire.read(&mut buffer))
                .await
                .unwrap()
                .unwrap();
            assert_ne!(length, 0);
            answer.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        assert!(answer.starts_with("HTTP/1.1 200"));
    }
}
