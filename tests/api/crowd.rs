//! Peers that take what they can get: many connections, bodies that never end, all turns at once.

use std::time::Duration;

use orchestrator::api::Limits;
use orchestrator::settings::Listen;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::access::ask_as;
use crate::daemon::Daemon;
use crate::http::{PATIENCE, Wire, ask, connect};

/// No connection is closed because time passes.
fn patient() -> Limits {
    Limits {
        head: PATIENCE * 4,
        body: PATIENCE * 4,
        ..Limits::default()
    }
}

/// The half of a request whose body never comes.
const HALF: &[u8] = b"POST /v1/reservations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{";

/// Opens `count` connections and sends `bytes` on each.
async fn crowd(place: &Listen, count: usize, bytes: &[u8]) -> Vec<Box<dyn Wire>> {
    let mut wires = Vec::with_capacity(count);
    for _ in 0..count {
        let mut wire = connect(place).await;
        // A connection that was closed to make room for a later one takes no more bytes.
        let _ = wire.write_all(bytes).await;
        wires.push(wire);
    }
    wires
}

/// Whether the other end neither answered nor closed the connection so far.
async fn is_waiting(wire: &mut Box<dyn Wire>) -> bool {
    let mut byte = [0; 1];
    tokio::time::timeout(Duration::from_millis(20), wire.read(&mut byte))
        .await
        .is_err()
}

#[tokio::test]
async fn half_sent_bodies_keep_nobody_waiting() {
    let daemon = Daemon::with_limits(patient()).await;
    for place in [&daemon.unix, &daemon.tcp] {
        let mut halves = crowd(place, 64, HALF).await;
        assert_eq!(ask(place, "GET", "/v1/clients").await.status, 200);
        let mut waiting = 0;
        for half in &mut halves {
            waiting += usize::from(is_waiting(half).await);
        }
        assert_eq!(
            waiting, 64,
            "the request was answered only after bodies had been given up"
        );
    }
}

#[tokio::test]
async fn idle_connections_keep_nobody_out() {
    let daemon = Daemon::with_limits(patient()).await;
    for (place, count) in [(&daemon.unix, 3000), (&daemon.tcp, 260)] {
        let mut idle = crowd(place, count, b"").await;
        assert_eq!(ask(place, "GET", "/v1/health").await.status, 200);
        assert_eq!(ask(place, "GET", "/v1/ready").await.status, 200);
        assert_eq!(ask(place, "GET", "/v1/clients").await.status, 200);
        let (oldest, newest) = (idle.remove(0), idle.pop());
        for (mut wire, waits) in [(oldest, false), (newest.expect("a connection"), true)] {
            assert_eq!(is_waiting(&mut wire).await, waits);
        }
    }
}

#[tokio::test]
async fn health_is_answered_while_every_place_waits_for_the_daemon() {
    let daemon = Daemon::with_limits(Limits {
        connections: 4,
        ..patient()
    })
    .await;
    for n in 1..=3 {
        daemon.instance(u16::from(n), [n; 6]).await;
    }
    for place in [&daemon.unix, &daemon.tcp] {
        daemon.gate.forget_permits(usize::MAX);
        let mut removals = Vec::new();
        for id in ["010101010101", "020202020202", "030303030303"] {
            let place = place.clone();
            let path = format!("/v1/instances/{id}");
            removals.push(tokio::spawn(async move { ask(&place, "DELETE", &path).await.status }));
            tokio::time::timeout(PATIENCE, daemon.arrived.notified())
                .await
                .expect("the request arrives");
        }
        for _ in 0..40 {
            assert_eq!(ask(place, "GET", "/v1/health").await.status, 200);
            assert_eq!(ask(place, "GET", "/v1/ready").await.status, 200);
        }
        // This peer has its share, and none of its connections keeps the daemon waiting.
        let refused = ask(place, "GET", "/v1/clients").await;
        assert_eq!(refused.problem(), (503, "too-many-connections".to_owned()));
        assert_eq!(refused.header("connection"), Some("close"));
        daemon.gate.add_permits(3);
        for removal in removals {
            assert_eq!(removal.await.unwrap(), 202, "nobody who waited was sent away");
        }
    }
}

#[tokio::test]
async fn one_peer_takes_neither_all_turns_nor_all_streams() {
    let daemon = Daemon::with_limits(Limits {
        requests: 4,
        streams: 4,
        ..patient()
    })
    .await;
    for n in 1..=4 {
        daemon.instance(u16::from(n), [n; 6]).await;
    }
    daemon.gate.forget_permits(usize::MAX);
    let mut removals = Vec::new();
    for n in 1..=4 {
        let place = daemon.unix.clone();
        let path = format!("/v1/instances/{}", format!("{n:02}").repeat(6));
        removals.push(tokio::spawn(async move { ask(&place, "DELETE", &path).await.status }));
        // Each is told by itself; the last one does not come so far.
        if n < 4 {
            tokio::time::timeout(PATIENCE, daemon.arrived.notified())
                .await
                .expect("the request arrives");
        }
    }
    // The fourth waits for the other three; another process waits for none of them.
    let other = ask_as(0, &[], &daemon.unix, "GET", "/v1/clients").await;
    assert_eq!(other.expect("an answer").status, 200);
    daemon.gate.add_permits(4);
    for removal in removals {
        assert_eq!(removal.await.unwrap(), 202);
    }
    let stream = b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    let mut streams = crowd(&daemon.unix, 3, stream).await;
    for stream in &mut streams {
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
    }
    let mut refused = crowd(&daemon.unix, 1, stream).await;
    let mut status = [0; 12];
    refused[0].read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 503");
    let mut other = tokio::process::Command::new("curl")
        .args([
            "--silent",
            "--include",
            "--no-buffer",
            "--header",
            "Accept: text/event-stream",
        ])
        .arg("--unix-socket")
        .arg(daemon.unix.to_string().trim_start_matches("unix:"))
        // What happened before is sent at once: curl keeps the head until something follows it.
        .arg("http://localhost/v1/events?after=0")
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("curl runs");
    let mut output = other.stdout.take().expect("its output");
    output.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
}
