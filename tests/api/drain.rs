//! What is under way when the daemon stops.

use std::time::Duration;

use orchestrator::api::Limits;
use orchestrator::settings::Listen;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::daemon::Daemon;
use crate::http::{PATIENCE, ask, connect};

#[tokio::test]
async fn a_request_under_way_is_answered() {
    let mut daemon = Daemon::with_limits(Limits {
        drain: PATIENCE,
        ..Limits::default()
    })
    .await;
    daemon.instance(1, [1; 6]).await;
    daemon.gate.forget_permits(usize::MAX);
    let request = tokio::spawn({
        let place = daemon.unix.clone();
        async move { ask(&place, "DELETE", "/v1/instances/010101010101").await }
    });
    tokio::time::timeout(PATIENCE, daemon.arrived.notified())
        .await
        .expect("the request arrives");
    daemon.stop();
    let Listen::Unix(path) = daemon.unix.clone() else {
        panic!("no unix socket")
    };
    let gone = async {
        while path.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone)
        .await
        .expect("nobody new is let in");
    daemon.gate.add_permits(1);
    assert_eq!(request.await.unwrap().status, 202);
    daemon.stopped().await;
}

#[tokio::test]
async fn a_request_that_does_not_end_holds_nothing_up() {
    let limits = Limits {
        drain: Duration::from_millis(100),
        ..Limits::default()
    };
    let mut daemon = Daemon::with_limits(limits).await;
    daemon.instance(1, [1; 6]).await;
    daemon.gate.forget_permits(usize::MAX);
    let request = tokio::spawn({
        let place = daemon.unix.clone();
        async move { ask(&place, "DELETE", "/v1/instances/010101010101").await }
    });
    tokio::time::timeout(PATIENCE, daemon.arrived.notified())
        .await
        .expect("the request arrives");
    daemon.stopped().await;
    assert!(!request.is_finished());
    request.abort();
}

#[tokio::test]
async fn an_idle_connection_holds_nothing_up() {
    // Longer than the test waits: only the daemon's end closes it.
    let limits = Limits {
        head: PATIENCE * 2,
        drain: PATIENCE * 2,
        ..Limits::default()
    };
    let mut daemon = Daemon::with_limits(limits).await;
    let mut wire = connect(&daemon.unix).await;
    wire.write_all(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut first = [0; 1];
    wire.read_exact(&mut first).await.unwrap();
    daemon.stopped().await;
}
