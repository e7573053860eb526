//! Every limit on the time of a connection, on a clock that stands still.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::passage::{Face, Passage, pass};
use super::super::peer::{Peer, Standing};
use super::super::places::{Capacity, Places};
use super::*;
use orchestrator_runtime::access::Access;

const ASK: &str = "GET /soon HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Serves one end of a connection and returns the other.
fn connect() -> DuplexStream {
    let limits = Limits::default();
    let metrics = Metrics::default();
    let passage = Passage {
        face: Face::Unix,
        access: Arc::new(Access::of("")),
        requests: Arc::new(Semaphore::new(1)),
        body: limits.body,
        metrics: metrics.clone(),
        keeper: Arc::new(|| Err(crate::ControlError::Starting)),
    };
    let routes = Router::new()
        .route("/soon", get(|| async { "soon" }))
        .route("/never", get(std::future::pending::<()>))
        .route("/taken", post(|| async {}))
        .route("/large", get(|| async { "x".repeat(100_000) }))
        .layer(from_fn_with_state(passage, pass));
    let common = Common {
        routes,
        limits,
        draining: CancellationToken::new(),
        metrics,
    };
    let capacity = Capacity {
        connections: 1,
        requests: 1,
        streams: 1,
    };
    let place = Places::new(capacity, 1)
        .enter(Peer::Process { uid: 0, pid: 1 })
        .unwrap()
        .place;
    let of = Connection {
        exchange: place.exchange.clone(),
        share: place.share.clone(),
        standing: Standing::Full(Role::Admin),
        peer: Peer::Process { uid: 0, pid: 1 },
        user: Arc::default(),
    };
    let (near, far) = duplex(1024);
    tokio::spawn(async move {
        serve(near, of, common).await;
        drop(place);
    });
    far
}

/// Reads to the end of the connection. Returns how long that took, and what was read.
async fn rest(wire: &mut DuplexStream) -> (Duration, String) {
    let begin = Instant::now();
    let mut text = String::new();
    // A connection that is dropped with bytes in it breaks off.
    let _ = wire.read_to_string(&mut text).await;
    (begin.elapsed(), text)
}

#[track_caller]
fn has(text: &str, status: &str, code: &str) {
    assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
    assert!(text.contains(&format!("\"code\":\"{code}\"")), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nothing_comes_is_closed_after_ten_seconds() {
    let (took, text) = rest(&mut connect()).await;
    assert_eq!((took.as_secs(), text.as_str()), (10, ""));
}

#[tokio::test(start_paused = true)]
async fn a_head_may_take_ten_seconds() {
    let mut wire = connect();
    wire.write_all(b"GET /soon HT").await.unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    // More bytes are no more time.
    wire.write_all(b"TP/1.1\r\n").await.unwrap();
    let (took, text) = rest(&mut wire).await;
    has(&text, "408", "head-too-slow");
    assert_eq!(took.as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_for_ten_seconds_after_an_answer() {
    let mut wire = connect();
    wire.write_all(ASK.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    wire.write_all(ASK.as_bytes()).await.unwrap();
    let (took, text) = rest(&mut wire).await;
    assert_eq!((took.as_secs(), text.matches("HTTP/1.1 200").count()), (10, 2));
}

#[tokio::test(start_paused = true)]
async fn a_body_may_take_five_seconds() {
    let mut wire = connect();
    wire.write_all(b"POST /taken HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 9\r\n\r\n1")
        .await
        .unwrap();
    let (took, text) = rest(&mut wire).await;
    has(&text, "408", "body-too-slow");
    assert_eq!(took.as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_take_thirty_seconds() {
    let mut wire = connect();
    wire.write_all(b"GET /never HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let (took, text) = rest(&mut wire).await;
    has(&text, "504", "too-slow");
    assert_eq!(took.as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_lie_unread_for_twenty_seconds() {
    let mut wire = connect();
    wire.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_secs(19)).await;
    let mut some = [0; 512];
    wire.read_exact(&mut some).await.unwrap();
    tokio::time::sleep(Duration::from_secs(19)).await;
    wire.read_exact(&mut some).await.unwrap();
    tokio::time::sleep(Duration::from_secs(21)).await;
    let (_, text) = rest(&mut wire).await;
    assert!(text.len() < 4096, "{} bytes", text.len());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_on_after_a_malformed_head_is_left_after_a_second() {
    let mut wire = connect();
    wire.write_all(b"nonsense\r\n\r\n").await.unwrap();
    let (took, text) = rest(&mut wire).await;
    has(&text, "400", "bad-request");
    assert_eq!(took, Duration::ZERO);
    let begin = Instant::now();
    while wire.write_all(b"more").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!((1000..1200).contains(&begin.elapsed().as_millis()));
}
