//! Every limit of a connection: sizes on real sockets, times on a clock that stands still.

use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hyper::StatusCode;
use orchestrator_runtime::metrics::Metrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Face, Limits, Listener, Place, connection, share_of};
use crate::{Request, Response, Source};

/// Answers with what it saw of the request.
struct Echo;

#[async_trait]
impl Face for Echo {
    fn word(&self) -> &'static str {
        "portal"
    }

    async fn answer(&self, source: &Source, request: &Request) -> Response {
        if request.path == "/never" {
            std::future::pending::<()>().await;
        }
        let body = format!(
            "{} {} {} {}",
            source.link,
            source.address,
            request.path,
            request.body.len()
        );
        Response::text(StatusCode::OK, body).with("x-more", "yes")
    }
}

fn source() -> Source {
    Source {
        link: "br0".to_owned(),
        address: "fd39::2:1".parse().unwrap(),
    }
}

/// Serves one end of a connection and returns the other.
fn connect() -> (DuplexStream, Metrics) {
    let (near, far) = duplex(1024);
    let metrics = Metrics::default();
    let counted = metrics.clone();
    tokio::spawn(async move { connection::serve(near, source(), Arc::new(Echo), Limits::default(), &counted).await });
    (far, metrics)
}

async fn rest(wire: &mut DuplexStream) -> (Duration, String) {
    let begin = Instant::now();
    let mut text = String::new();
    let _ = wire.read_to_string(&mut text).await;
    (begin.elapsed(), text)
}

async fn ask(request: &str) -> String {
    let (mut wire, _) = connect();
    wire.write_all(request.as_bytes()).await.unwrap();
    rest(&mut wire).await.1
}

#[tokio::test(start_paused = true)]
async fn a_request_is_answered_with_headers_that_keep_it_apart() {
    let text = ask("GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\nbr0 fd39::2:1 /a 0"), "{text}");
    for header in [
        "cache-control: no-store",
        "x-frame-options: DENY",
        "x-more: yes",
        "connection: close",
    ] {
        assert!(text.contains(&format!("\r\n{header}\r\n")), "{header}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_is_bounded_with_and_without_its_length() {
    let post = |length: usize| {
        format!(
            "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{}",
            "x".repeat(length)
        )
    };
    assert!(ask(&post(16 * 1024)).await.ends_with("/a 16384"));
    let text = ask("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 16385\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 413 "), "{text}");
    let chunks = "4000\r\n".to_owned() + &"x".repeat(0x4000) + "\r\n1\r\nx\r\n0\r\n\r\n";
    let text = ask(&format!(
        "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
    ))
    .await;
    assert!(text.starts_with("HTTP/1.1 413 "), "{text}");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_http_or_has_too_large_a_head_is_refused() {
    assert!(ask("nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(20_000));
    let (mut wire, metrics) = connect();
    let _ = wire.write_all(long.as_bytes()).await;
    let (_, text) = rest(&mut wire).await;
    assert!(!text.starts_with("HTTP/1.1 200"), "{text}");
    let counted = "orchestrator_portal_connections_refused_total{reason=\"broken\"} 1";
    assert!(metrics.render().unwrap().contains(counted));
}

#[tokio::test(start_paused = true)]
async fn a_head_may_take_five_seconds() {
    let (mut wire, metrics) = connect();
    wire.write_all(b"GET / HT").await.unwrap();
    let (took, _) = rest(&mut wire).await;
    assert_eq!(took.as_secs(), 5);
    let counted = "orchestrator_portal_connections_refused_total{reason=\"slow\"} 1";
    assert!(metrics.render().unwrap().contains(counted));
}

#[tokio::test(start_paused = true)]
async fn a_connection_may_take_fifteen_seconds() {
    let (mut wire, _) = connect();
    wire.write_all(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_eq!(rest(&mut wire).await, (Duration::from_secs(15), String::new()));
}

#[test]
fn addresses_outside_of_the_link_are_counted_by_their_64() {
    let of = |address: &str| share_of(address.parse().unwrap(), "fd39::/64".parse().unwrap());
    assert_eq!(of("fd39::1"), "fd39::1".parse::<Ipv6Addr>().unwrap());
    assert_eq!(of("fd60:0:0:1:2::3"), "fd60:0:0:1::".parse::<Ipv6Addr>().unwrap());
}

#[tokio::test]
async fn more_connections_of_one_peer_than_it_may_have_are_closed() {
    let socket = std::net::TcpListener::bind("[::1]:0").unwrap();
    let address = socket.local_addr().unwrap();
    let metrics = Metrics::default();
    let place = Place {
        link: "br0".to_owned(),
        index: 1,
        prefix: "::/0".parse().unwrap(),
        address: Ipv6Addr::LOCALHOST,
        port: address.port(),
    };
    let limits = Limits {
        connections_each: 1,
        ..Limits::default()
    };
    let listener = Listener::of(socket, &place, &metrics).unwrap().with_limits(limits);
    let stop = CancellationToken::new();
    let serving = tokio::spawn(listener.run(Arc::new(Echo), stop.clone()));
    let mut first = TcpStream::connect(address).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    let mut text = String::new();
    // The second is closed while the first is held.
    let _ = second.read_to_string(&mut text).await;
    assert_eq!(text, "");
    first.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    first.read_to_string(&mut text).await.unwrap();
    assert!(text.ends_with("br0 ::1 / 0"), "{text}");
    stop.cancel();
    serving.await.unwrap();
    let counted = "orchestrator_portal_connections_refused_total{reason=\"too-many-of-one\"} 1";
    assert!(metrics.render().unwrap().contains(counted));
}
